//! Low scheduling priority for threads and processes whose work can wait, such as password hashing and
//! rebuilds.
//!
//! If the system refuses a priority, the functions return an error and the thread keeps its old priority.

use rustix::process::{Pid, setpriority_process};

/// Nice value of background work: the lowest priority of all.
const LOWEST: i32 = 19;
/// Nice value of work that a caller waits for: lower than requests, higher than background work.
const LOW: i32 = 10;

/// Gives the calling thread a low priority and the shortest time slice. A low priority only reduces the
/// thread's share of the core. A thread that wakes up still waits some milliseconds until the running thread
/// has used its time slice. A thread with a short slice is interrupted almost at once (Linux 6.12 and later;
/// see `sched_setattr(2)`). Earlier systems apply only the low priority.
pub fn lower_thread() -> std::io::Result<()> {
    // A system that forbids this call may still allow a change of priority.
    #[cfg(target_os = "linux")]
    if linux::set(LOW).is_ok() {
        return Ok(());
    }
    Ok(setpriority_process(None, LOW)?)
}

/// Gives every thread of this process the lowest priority. Threads that are started later inherit it.
pub fn lower_process() -> std::io::Result<()> {
    for thread in std::fs::read_dir("/proc/self/task")? {
        let id = thread?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        setpriority_process(id, LOWEST)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    /// Shortest time slice that the kernel allows, in nanoseconds. The default is about 3 ms.
    const SLICE_NS: u64 = 100_000;

    /// First version of the kernel's `struct sched_attr`.
    #[repr(C)]
    struct Attributes {
        size: u32,
        policy: u32,
        flags: u64,
        nice: i32,
        priority: u32,
        runtime_ns: u64,
        deadline_ns: u64,
        period_ns: u64,
    }

    /// Size of [`Attributes`] in bytes. The kernel recognizes the version of the struct by its size.
    const SIZE: u32 = 48;
    const _: () = assert!(size_of::<Attributes>() == SIZE as usize);

    #[allow(
        unsafe_code,
        reason = "no library offers this call for threads with the normal scheduling policy"
    )]
    pub(super) fn set(nice: i32) -> io::Result<()> {
        let mut attributes = Attributes {
            size: SIZE,
            policy: libc::SCHED_OTHER.cast_unsigned(),
            flags: 0,
            nice,
            priority: 0,
            runtime_ns: SLICE_NS,
            deadline_ns: 0,
            period_ns: 0,
        };
        // SAFETY: `size` is the size of the struct, so the kernel reads only the struct. It writes only the
        // field `size`. The argument 0 means the calling thread.
        let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw mut attributes, 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn only_the_calling_thread_gets_the_priority() {
            let nice = std::thread::spawn(|| {
                super::set(7).unwrap();
                rustix::process::getpriority_process(None).unwrap()
            });
            assert_eq!(nice.join().unwrap(), 7);
            assert_ne!(
                rustix::process::getpriority_process(None).unwrap(),
                7,
                "other threads keep their priority"
            );
        }
    }
}
