//! A server process of one's own.

use std::net::{Ipv4Addr, TcpListener};
use std::process::{Child, Command, Stdio};
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

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).context("no port is free")?;
    Ok(listener.local_addr()?.port())
}
