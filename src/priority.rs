//! What gives way to the shop.

use rustix::process::{Pid, setpriority_process};

/// The lowest priority there is: whoever sells goes first.
const LOWEST: i32 = 19;
/// Below that of the shop, above that of a rebuild: somebody waits for it.
const LOW: i32 = 10;

/// Gives the calling thread a low priority.
pub fn lower_thread() -> std::io::Result<()> {
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
