//! A server process of one's own.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use tempfile::TempDir;

/// How long a server may take until it answers.
const READY_MAX: Duration = Duration::from_secs(30);
/// How often it is asked.
const ASKED_EVERY: Duration = Duration::from_millis(20);

/// A running server; it is killed when this is dropped.
pub(crate) struct Instance {
    process: Child,
    /// What it keeps, which goes with it.
    _folder: TempDir,
}

impl Instance {
    /// Starts a program and waits until it answers.
    pub(crate) fn start(
        name: &str,
        folder: TempDir,
        command: &mut Command,
        answers: impl Fn() -> bool,
    ) -> Result<Self> {
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let process = command
            .spawn()
            .with_context(|| format!("{name} can't be started: `cargo xtask engines` installs it"))?;
        let mut instance = Self { process, _folder: folder };
        let started = Instant::now();
        while !answers() {
            if let Some(status) = instance.process.try_wait()? {
                bail!("{name} ended with {status} instead of answering");
            }
            if started.elapsed() > READY_MAX {
                bail!("{name} does not answer within {} s", READY_MAX.as_secs());
            }
            std::thread::sleep(ASKED_EVERY);
        }
        Ok(instance)
    }
}

impl Drop for Instance {
    fn drop(&mut self) {
        // One that has ended by itself is what was wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

/// Ports that are tried: below those that systems give to whoever connects, one of which could be taken
/// before it is listened at.
const PORTS: std::ops::Range<u16> = 20_000..30_000;
/// How many were given out.
static GIVEN: AtomicU32 = AtomicU32::new(0);

/// A port that nobody listens at.
pub fn free_port() -> Result<u16> {
    let count = u32::from(PORTS.end - PORTS.start);
    for _ in 0..count {
        // Processes that look at once begin at different places.
        let number = std::process::id().wrapping_mul(97).wrapping_add(GIVEN.fetch_add(1, Ordering::Relaxed));
        let port = PORTS.start + u16::try_from(number % count).context("there are fewer ports")?;
        if TcpListener::bind((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return Ok(port);
        }
    }
    bail!("no port is free from {} to {}", PORTS.start, PORTS.end)
}
