//! A shop that is started for a trial or a bench, on a data folder of its own, and stopped at the end.
//!
//! It is stopped as an operator would, by SIGTERM, and must then end with exit status 0. One that is
//! dropped without that (something failed before) is killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use super::client::ShopClient;

/// Seconds until a server must be ready.
const READY_SECONDS_MAX: u64 = 60;
/// Seconds a server may take to stop: it cuts what is left after five.
const STOP_SECONDS_MAX: u64 = 15;
/// Milliseconds between two looks.
const LOOK_EVERY_MS: u64 = 5;
/// Lines of the server's log that an error shows.
const LOG_LINES_SHOWN: usize = 20;

#[derive(Deserialize)]
struct Listening {
    listening: String,
}

/// A running `souk serve`.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    /// Where it listens.
    pub(crate) url: String,
    /// From its start to ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts `souk serve` on `data`, waits until it is ready, and gives it with an admin's client.
    pub(crate) async fn start(souk: &Path, data: &Path) -> Result<(Self, ShopClient)> {
        let server = Self::start_on(souk, data, "127.0.0.1:0", &[]).await?;
        let client = ShopClient::new(&server.url, admin_token(souk, data)?)?;
        Ok((server, client))
    }

    /// Starts `souk serve` at an address, with variables, and waits until it is ready.
    pub(crate) async fn start_on(
        souk: &Path,
        data: &Path,
        address: &str,
        variables: &[(&str, String)],
    ) -> Result<Self> {
        let started = Instant::now();
        let mut server = Self::spawn(souk, data, address, variables)?;
        let probe = ShopClient::new(&server.url, String::new())?;
        while !probe.is_ready().await {
            if let Some(status) = server.child.try_wait()? {
                bail!("souk ended with {status} before it was ready\n{}", server.log_tail());
            }
            let is_too_late = started.elapsed().as_secs() >= READY_SECONDS_MAX;
            ensure!(!is_too_late, "souk is not ready after {READY_SECONDS_MAX} s\n{}", server.log_tail());
            tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
        server.ready_after = started.elapsed();
        Ok(server)
    }

    fn spawn(souk: &Path, data: &Path, address: &str, variables: &[(&str, String)]) -> Result<Self> {
        std::fs::create_dir_all(data)?;
        let log = data.with_extension("log");
        let mut child = Command::new(souk)
            .args(["serve", "--listen", address, "--empty", "--json", "--data"])
            .arg(data)
            .env("SOUK_LIMITS", "off")
            .envs(variables.iter().map(|(name, value)| (*name, value.as_str())))
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(File::create(&log)?)
            .spawn()
            .with_context(|| format!("{} can't be started", souk.display()))?;
        let stdout = child.stdout.take().expect("standard output was asked for");
        let mut server = Self { child, log, url: String::new(), ready_after: Duration::ZERO };
        server.url = server.read_address(BufReader::new(stdout))?;
        Ok(server)
    }

    /// Reads until the line that says where it listens; what follows is read and dropped, so that the
    /// server never writes into a closed pipe.
    fn read_address(&mut self, mut stdout: BufReader<std::process::ChildStdout>) -> Result<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if stdout.read_line(&mut line)? == 0 {
                let status = self.child.wait()?;
                bail!("souk ended with {status} before it listened\n{}", self.log_tail());
            }
            if let Ok(Listening { listening }) = serde_json::from_str(line.trim()) {
                std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
                return Ok(listening);
            }
        }
    }

    /// The server's process.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Ends it without a word.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Whether it ends by itself within a time.
    pub(crate) async fn ends_within(&mut self, time: Duration) -> Result<bool> {
        let asked = Instant::now();
        while asked.elapsed() < time {
            if self.child.try_wait()?.is_some() {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
        Ok(false)
    }

    /// Stops it and holds it to exit status 0.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM).context("souk can't be stopped")?;
        let asked = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            let is_too_late = asked.elapsed().as_secs() >= STOP_SECONDS_MAX;
            ensure!(!is_too_late, "souk runs on {STOP_SECONDS_MAX} s after SIGTERM\n{}", self.log_tail());
            std::thread::sleep(Duration::from_millis(LOOK_EVERY_MS));
        };
        ensure!(status.success(), "souk ended with {status} after SIGTERM\n{}", self.log_tail());
        Ok(())
    }

    fn log_tail(&self) -> String {
        let log = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(LOG_LINES_SHOWN)..].join("\n")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Ok(None) = self.child.try_wait() {
            // Only a failure comes here with a running server; its own error is the one to show.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

pub(crate) fn admin_token(souk: &Path, data: &Path) -> Result<String> {
    token(souk, data, "admin")
}

/// A token of a role, for half a day.
pub(crate) fn token(souk: &Path, data: &Path, role: &str) -> Result<String> {
    let mut command = Command::new(souk);
    command.args(["token", "--role", role, "--subject", "ops", "--ttl", "12h", "--data"]).arg(data);
    let output = command.output().context("souk token can't be run")?;
    ensure!(output.status.success(), "souk token: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// The token for a shop that runs elsewhere.
pub(crate) fn token_for_url() -> Result<String> {
    std::env::var("SOUK_TOKEN").context("with --url, SOUK_TOKEN must hold an admin's token")
}
