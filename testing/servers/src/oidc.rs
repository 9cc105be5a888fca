//! An OpenID Connect provider: npm's `oidc-provider`, with its own pages for signing in and consenting.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpStream};
use std::os::unix::fs::symlink;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result};
use tempfile::TempDir;

use crate::instance::Instance;
use crate::{cache, install_package, run};

/// What is installed: the version that the script was written for.
const PACKAGE: &str = "oidc-provider@9.13.3";
/// The script that sets it up.
const SCRIPT: &str = include_str!("oidc-provider.mjs");

/// Who may send people there.
#[derive(Clone, Debug)]
pub struct Client {
    /// Its id.
    pub id: String,
    /// Its secret.
    pub secret: String,
    /// Where people are sent back to.
    pub redirect_uri: String,
}

/// A provider. Whoever signs in there is who they say: the e-mail address is what was typed, and verified
/// unless it begins with `unverified`.
pub struct OpenIdProvider {
    port: u16,
    issuer: String,
    client: Client,
    instance: Option<Instance>,
}

fn home() -> Result<PathBuf> {
    Ok(cache()?.join(PACKAGE))
}

pub(crate) fn install() -> Result<()> {
    install_package("npm", "npm")?;
    let home = home()?;
    if home.join("node_modules/oidc-provider/package.json").is_file() {
        return Ok(());
    }
    fs::create_dir_all(&home).with_context(|| format!("{} can't be made", home.display()))?;
    let mut npm = Command::new("npm");
    npm.current_dir(&home).args(["install", "--no-package-lock", "--no-audit", "--no-fund", "--prefix", "."]);
    run(npm.arg(PACKAGE))
}

impl OpenIdProvider {
    /// Starts one on a port.
    pub fn start(port: u16, client: Client) -> Result<Self> {
        Self::start_as(format!("http://127.0.0.1:{port}"), port, client)
    }

    /// Starts one that calls itself otherwise, as what stands before it is called.
    pub fn start_as(issuer: String, port: u16, client: Client) -> Result<Self> {
        let mut provider = Self { port, issuer, client, instance: None };
        provider.begin()?;
        Ok(provider)
    }

    /// What it calls itself.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Where it is.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills it.
    pub fn stop(&mut self) {
        self.instance = None;
    }

    /// Starts it again after [`OpenIdProvider::stop`].
    pub fn begin(&mut self) -> Result<()> {
        let (port, folder) = (self.port, TempDir::with_prefix("souk-oidc-")?);
        let script = folder.path().join("provider.mjs");
        fs::write(&script, SCRIPT)?;
        // The script finds what it imports beside itself.
        symlink(home()?.join("node_modules"), folder.path().join("node_modules"))?;
        let mut command = Command::new("node");
        command.arg(script).args([&port.to_string(), &self.issuer]);
        command.args([&self.client.id, &self.client.secret, &self.client.redirect_uri]);
        let instance = Instance::start("oidc-provider", folder, &mut command, || answers(port))?;
        self.instance = Some(instance);
        Ok(())
    }
}

fn answers(port: u16) -> bool {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /.well-known/openid-configuration HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        Ok(answer)
    };
    exchange().is_ok_and(|answer| answer.contains("authorization_endpoint"))
}
