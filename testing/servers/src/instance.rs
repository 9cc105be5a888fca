//! Server processes for tests, and free ports for them.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// Timeout for the start of a server.
const READY_MAX: Duration = Duration::from_secs(30);
/// Interval between two checks if a server is ready.
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// Running server process. Dropping it kills the process.
pub(crate) struct Instance {
    process: Child,
    /// Folder with the data of the server; deleted with the server.
    _folder: TempDir,
}

impl Instance {
    /// Starts a program, and waits until `is_ready` returns true.
    pub(crate) fn start(
        name: &str,
        folder: TempDir,
        command: &mut Command,
        is_ready: impl Fn() -> bool,
    ) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command
            .spawn()
            .with_context(|| format!("{name} can't be started: `cargo xtask engines` installs it"))?;
        let mut instance = Self { process, _folder: folder };
        let started = Instant::now();
        while !is_ready() {
            if let Some(status) = instance.process.try_wait()? {
                bail!("{name} ended with {status} before it was ready");
            }
            if started.elapsed() > READY_MAX {
                bail!("{name} was not ready within {} s", READY_MAX.as_secs());
            }
            std::thread::sleep(POLL_INTERVAL);
        }
        Ok(instance)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // An error means that the process has already ended.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ports to try. The range is below the ports that the operating system gives to outgoing connections: such a
/// port could be taken again before the server listens on it.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
/// Number of ports that this process has tried.
static TRIED: AtomicU32 = AtomicU32::new(0);

/// Returns a port on which no process listens.
pub fn free_port() -> Result<u16> {
    let count = u32::from(PORTS.end - PORTS.start);
    for _ in 0..count {
        // Different processes start at different ports, so that they do not choose the same port at the same
        // time.
        let number = std::process::id().wrapping_mul(97).wrapping_add(TRIED.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + u16::try_from(number % count).context("a port number has 16 bits")?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free from {} to {}", PORTS.start, PORTS.end)
}
