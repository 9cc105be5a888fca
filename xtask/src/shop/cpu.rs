//! CPU time and memory of a process, from `/proc`.

use std::fs;

use anyhow::{Context, Result};

/// Unit of process times in Linux (`USER_HZ`): a hundredth of a second on every architecture that Rust
/// supports.
const TICKS_PER_SECOND: f64 = 100.0;

/// CPU seconds of this process, user and system.
pub(crate) fn own_cpu_seconds() -> Result<f64> {
    cpu_seconds("self")
}

/// CPU seconds of another process, user and system.
pub(crate) fn process_cpu_seconds(pid: u32) -> Result<f64> {
    cpu_seconds(&pid.to_string())
}

/// Resident memory of a process, in MiB.
pub(crate) fn process_memory_mib(pid: u32) -> Result<f64> {
    Ok(process_memory(pid)?.all_mib)
}

/// Resident memory of a process.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Memory {
    /// All resident memory, in MiB.
    pub(crate) all_mib: f64,
    /// Anonymous memory (not backed by a file), in MiB: mostly the heap.
    pub(crate) anonymous_mib: f64,
}

/// Reads the resident memory of a process.
pub(crate) fn process_memory(pid: u32) -> Result<Memory> {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).context("/proc can't be read")?;
    let mib = |name: &str| -> Result<f64> {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let value = line.with_context(|| format!("/proc has no {name}"))?;
        let kib: f64 = value.trim().trim_end_matches(" kB").parse().context("memory is not a number")?;
        Ok(kib / 1024.0)
    };
    Ok(Memory { all_mib: mib("VmRSS:")?, anonymous_mib: mib("RssAnon:")? })
}

fn cpu_seconds(process: &str) -> Result<f64> {
    let stat = fs::read_to_string(format!("/proc/{process}/stat")).context("/proc can't be read")?;
    ticks(&stat).map(|ticks| ticks / TICKS_PER_SECOND).context("/proc/*/stat has an unknown format")
}

/// Sum of the fields 14 and 15 (utime, stime; see proc(5)). They are counted from the end of the process
/// name, which may contain spaces and brackets.
fn ticks(stat: &str) -> Option<f64> {
    let (_, after_name) = stat.rsplit_once(')')?;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next()?.parse().ok()?;
    let system: f64 = fields.next()?.parse().ok()?;
    Some(user + system)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spaces_and_brackets_in_a_process_name_do_not_shift_the_fields() {
        let stat = "42 (a) b) S 1 42 42 0 -1 4194560 100 0 0 0 120 30 0 0 20 0 1 0 100 0 0";
        assert_eq!(ticks(stat), Some(150.0));
    }

    #[test]
    fn this_process_has_memory() {
        assert!(process_memory_mib(std::process::id()).unwrap() > 0.0);
    }
}
