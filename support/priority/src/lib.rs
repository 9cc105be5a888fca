//! What gives way to the shop: threads and processes whose work can wait for that of others.

use rustix::process::{Pid, setpriority_process};

/// The lowest priority there is: whoever sells goes first.
const LOWEST: i32 = 19;
/// Below that of the shop, above that of a rebuild: somebody waits for it.
const LOW: i32 = 10;

/// Gives the calling thread a low priority, and the shortest slice there is.
///
/// A low priority alone is a smaller share: whoever wakes up still waits until what runs has had its slice,
/// some milliseconds. One with a short slice gives way at once (Linux 6.12 and later; see
/// `sched_setattr(2)`); before that it has the low priority.
pub fn lower_thread() -> std::io::Result<()> {
    // Where that call is not allowed, the priority may be.
    #[cfg(target_os = "linux")]
    if linux::set(LOW).is_ok() {
        return Ok(());
    }
    Ok(setpriority_process(None, LOW)?)
}

/// Gives every thread of this process the lowest priority; those made later take it over.
pub fn lowest_for_process() -> std::io::Result<()> {
    for thread in std::fs::read_dir("/proc/self/task")? {
        let id = thread?.file_name().to_str().and_then(|name| name.parse().ok()).and_then(Pid::from_raw);
        setpriority_process(id, LOWEST)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
mod linux {
    use std::io;

    /// The shortest slice that can be asked for, in nanoseconds; others have some 3 ms.
    const SLICE_NS: u64 = 100_000;

    /// `struct sched_attr` in its first version.
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

    /// What the kernel knows the version by.
    const SIZE: u32 = 48;
    const _: () = assert!(size_of::<Attributes>() == SIZE as usize);

    #[allow(unsafe_code, reason = "no library has this call for threads that share a core in turns")]
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
        // SAFETY: the kernel reads as many bytes as `size` says, which is what the struct has, and writes
        // none but that field; 0 is the calling thread.
        let result = unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw mut attributes, 0) };
        if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
    }

    #[cfg(test)]
    mod tests {
        #[test]
        fn a_thread_has_what_was_asked_for() {
            let nice = std::thread::spawn(|| {
                super::set(7).unwrap();
                rustix::process::getpriority_process(None).unwrap()
            });
            assert_eq!(nice.join().unwrap(), 7);
            assert_ne!(
                rustix::process::getpriority_process(None).unwrap(),
                7,
                "other threads stay as they are"
            );
        }
    }
}
