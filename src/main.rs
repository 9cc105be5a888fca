//! Entry point of the `souk` program.

use std::process::ExitCode;

#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> ExitCode {
    keep_pages_small();
    souk::cli::run()
}

/// Turns huge pages off for this process. The allocator requests them, and each huge page that it touches
/// takes 2 MiB of memory, even if only a few bytes of it are used. With huge pages a shop used 94 MiB instead
/// of 45 MiB after its start, and its memory grew twice as much under load (measured 2026-11-30,
/// docs/RELIABILITY.md).
fn keep_pages_small() {
    #[cfg(target_os = "linux")]
    // If the system does not support the call, the process continues with huge pages.
    let _ = rustix::thread::disable_transparent_huge_pages(true);
}
