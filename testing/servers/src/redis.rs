//! Redis server for tests.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::install_package;
use crate::instance::{Instance, free_port};

const PROGRAM: &str = "redis-server";

/// Redis server that saves no data to disk.
pub struct Redis {
    port: u16,
    instance: Option<Instance>,
}

pub(crate) fn install() -> Result<()> {
    install_package(PROGRAM, "redis-server")
}

impl Redis {
    /// Starts a server on a free port.
    pub fn start() -> Result<Self> {
        let mut redis = Self { port: free_port()?, instance: None };
        redis.begin()?;
        Ok(redis)
    }

    /// URL of the server.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills the server.
    pub fn stop(&mut self) {
        self.instance = None;
    }

    /// Starts the server on its port, without data: for the first time, or again after [`Redis::stop`].
    pub fn begin(&mut self) -> Result<()> {
        let port = self.port;
        let folder = TempDir::with_prefix("souk-redis-")?;
        let mut command = Command::new(PROGRAM);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder.path());
        self.instance = Some(Instance::start("Redis", folder, &mut command, || is_ready(port))?);
        Ok(())
    }

    /// Sends a command as one line of words (an inline command of Redis), and returns the raw response.
    pub fn command(&self, words: &str) -> Result<String> {
        Ok(exchange(self.port, words)?)
    }
}

fn is_ready(port: u16) -> bool {
    exchange(port, "PING").is_ok_and(|response| response.starts_with("+PONG"))
}

fn exchange(port: u16, words: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("{words}\r\n").as_bytes())?;
    let mut response = [0; 1024];
    let length = stream.read(&mut response)?;
    Ok(String::from_utf8_lossy(&response[..length]).into_owned())
}
