//! A shop that is started for a trial or a benchmark, with its own data folder, and stopped at the end.
//!
//! It is stopped by SIGTERM, as an operator would do it, and must then exit with status 0. If an error occurs
//! before, the value is dropped, and the shop is killed.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail, ensure};
use rustix::process::{Pid, Signal, kill_process};
use serde::Deserialize;

use super::client::ShopClient;

/// Longest time until a server is ready, in seconds.
const READY_SECONDS_MAX: u64 = 60;
/// Longest time that a server may take to stop, in seconds. It aborts its open requests after five seconds.
const STOP_SECONDS_MAX: u64 = 15;
/// Milliseconds between two checks.
const LOOK_EVERY_MS: u64 = 5;
/// Number of lines of the server's log output in an error.
const LOG_LINES_SHOWN: usize = 20;

#[derive(Deserialize)]
struct Listening {
    listening: String,
}

/// A running `souk serve`.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
    /// URL of the server.
    pub(crate) url: String,
    /// Time from the start until the server was ready.
    pub(crate) ready_after: Duration,
}

impl Server {
    /// Starts `souk serve` with the data folder `data` and waits until it is ready. Also returns a client
    /// with an admin token.
    pub(crate) async fn start(souk: &Path, data: &Path) -> Result<(Self, ShopClient)> {
        let server = Self::start_on(souk, data, "127.0.0.1:0", &[]).await?;
        let client = ShopClient::new(&server.url, admin_token(souk, data)?)?;
        Ok((server, client))
    }

    /// Starts `souk serve` at an address, with environment variables, and waits until it is ready.
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
        let stdout = child.stdout.take().expect("standard output is piped");
        let mut server = Self { child, log, url: String::new(), ready_after: Duration::ZERO };
        server.url = server.read_address(BufReader::new(stdout))?;
        Ok(server)
    }

    /// Reads the output up to the line that contains the address. A thread reads and drops the rest, so that
    /// the server never writes to a closed pipe.
    fn read_address(&mut self, mut stdout: BufReader<std::process::ChildStdout>) -> Result<String> {
        let mut line = String::new();
        loop {
            line.clear();
            if stdout.read_line(&mut line)? == 0 {
                let status = self.child.wait()?;
                bail!("souk ended with {status} before it listened on its address\n{}", self.log_tail());
            }
            if let Ok(Listening { listening }) = serde_json::from_str(line.trim()) {
                std::thread::spawn(move || std::io::copy(&mut stdout, &mut std::io::sink()));
                return Ok(listening);
            }
        }
    }

    /// Process id of the server.
    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Kills the server with SIGKILL.
    pub(crate) fn kill(mut self) -> Result<()> {
        self.child.kill()?;
        self.child.wait()?;
        Ok(())
    }

    /// Returns true if the server ends within a time.
    pub(crate) async fn ends_within(&mut self, time: Duration) -> Result<bool> {
        let started = Instant::now();
        while started.elapsed() < time {
            if self.child.try_wait()?.is_some() {
                return Ok(true);
            }
            tokio::time::sleep(Duration::from_millis(LOOK_EVERY_MS)).await;
        }
        Ok(false)
    }

    /// Stops the server and checks that it exits with status 0.
    pub(crate) fn stop(mut self) -> Result<()> {
        let pid = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).context("no process id")?;
        kill_process(pid, Signal::TERM).context("souk can't be stopped")?;
        let started = Instant::now();
        let status = loop {
            if let Some(status) = self.child.try_wait()? {
                break status;
            }
            let is_too_late = started.elapsed().as_secs() >= STOP_SECONDS_MAX;
            ensure!(!is_too_late, "souk still runs {STOP_SECONDS_MAX} s after SIGTERM\n{}", self.log_tail());
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
            // The server still runs here only after an error, and that error is the one to report.
            let _ = self.child.kill();
            let _ = self.child.wait();
        }
    }
}

/// Creates an admin token that is valid for 12 hours.
pub(crate) fn admin_token(souk: &Path, data: &Path) -> Result<String> {
    token(souk, data, "admin")
}

/// Creates a token of a role that is valid for 12 hours.
pub(crate) fn token(souk: &Path, data: &Path, role: &str) -> Result<String> {
    let mut command = Command::new(souk);
    command.args(["token", "--role", role, "--subject", "ops", "--ttl", "12h", "--data"]).arg(data);
    let output = command.output().context("souk token can't be run")?;
    ensure!(output.status.success(), "souk token: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

/// Reads the admin token for a shop that already runs, from `SOUK_TOKEN`.
pub(crate) fn token_for_url() -> Result<String> {
    std::env::var("SOUK_TOKEN").context("--url needs an admin token in SOUK_TOKEN")
}
