//! Redis 7.

use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use tempfile::TempDir;

use crate::install_package;
use crate::instance::{Instance, free_port};

const PROGRAM: &str = "redis-server";

/// A Redis that keeps nothing.
pub struct Redis {
    port: u16,
    instance: Option<Instance>,
}

pub(crate) fn install() -> Result<()> {
    install_package(PROGRAM, "redis-server")
}

impl Redis {
    /// Starts one.
    pub fn start() -> Result<Self> {
        let mut redis = Self { port: free_port()?, instance: None };
        redis.begin()?;
        Ok(redis)
    }

    /// Its address.
    pub fn url(&self) -> String {
        format!("redis://127.0.0.1:{}", self.port)
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.instance = None;
    }

    /// Starts it again after [`Redis::stop`], empty, at the same address.
    pub fn begin(&mut self) -> Result<()> {
        let (port, folder) = (self.port, TempDir::with_prefix("souk-redis-")?);
        let mut command = Command::new(PROGRAM);
        command.args(["--port", &port.to_string(), "--bind", "127.0.0.1"]);
        command.args(["--save", "", "--appendonly", "no", "--dir"]).arg(folder.path());
        self.instance = Some(Instance::start("Redis", folder, &mut command, || answers(port))?);
        Ok(())
    }

    /// Sends one command of plain words, as by hand; what it answers, as it comes.
    pub fn command(&self, words: &str) -> Result<String> {
        Ok(exchange(self.port, words)?)
    }
}

fn answers(port: u16) -> bool {
    exchange(port, "PING").is_ok_and(|answer| answer.starts_with("+PONG"))
}

fn exchange(port: u16, words: &str) -> std::io::Result<String> {
    let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(format!("{words}\r\n").as_bytes())?;
    let mut answer = [0; 1024];
    let length = stream.read(&mut answer)?;
    Ok(String::from_utf8_lossy(&answer[..length]).into_owned())
}
