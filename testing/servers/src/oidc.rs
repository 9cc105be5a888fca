//! OpenID Connect provider for tests: the npm package `oidc-provider`, with its own pages for sign-in and
//! consent.

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

/// npm package with the version that the script needs.
const PACKAGE: &str = "oidc-provider@9.13.3";
/// Script that starts the provider.
const SCRIPT: &str = include_str!("oidc-provider.mjs");

/// Client that is registered at the provider.
#[derive(Clone, Debug)]
pub struct Client {
    /// Client id.
    pub id: String,
    /// Client secret.
    pub secret: String,
    /// URL to which the provider redirects after a sign-in.
    pub redirect_uri: String,
}

/// OpenID Connect provider. It accepts every login name with any password. The login name becomes the e-mail
/// address of the account; the address is verified unless it starts with `unverified`.
pub struct OpenIdProvider {
    port: u16,
    issuer: String,
    client: Client,
    instance: Option<Instance>,
}

/// Returns the folder in which the npm package is installed.
fn package_folder() -> Result<PathBuf> {
    Ok(cache()?.join(PACKAGE))
}

pub(crate) fn install() -> Result<()> {
    install_package("npm", "npm")?;
    let folder = package_folder()?;
    if folder.join("node_modules/oidc-provider/package.json").is_file() {
        return Ok(());
    }
    fs::create_dir_all(&folder).with_context(|| format!("{} can't be created", folder.display()))?;
    let mut npm = Command::new("npm");
    npm.current_dir(&folder).args([
        "install",
        "--no-package-lock",
        "--no-audit",
        "--no-fund",
        "--prefix",
        ".",
    ]);
    run(npm.arg(PACKAGE))
}

impl OpenIdProvider {
    /// Starts a provider on a port of the loopback interface.
    pub fn start(port: u16, client: Client) -> Result<Self> {
        Self::start_as(format!("http://127.0.0.1:{port}"), port, client)
    }

    /// Starts a provider whose issuer URL differs from its own address: for example, the URL of a proxy in
    /// front of it.
    pub fn start_as(issuer: String, port: u16, client: Client) -> Result<Self> {
        let mut provider = Self { port, issuer, client, instance: None };
        provider.begin()?;
        Ok(provider)
    }

    /// Issuer URL of the provider.
    pub fn issuer(&self) -> &str {
        &self.issuer
    }

    /// Address of the provider: host and port.
    pub fn address(&self) -> String {
        format!("127.0.0.1:{}", self.port)
    }

    /// Kills the provider.
    pub fn stop(&mut self) {
        self.instance = None;
    }

    /// Starts the process of the provider, at first or again after [`OpenIdProvider::stop`].
    pub fn begin(&mut self) -> Result<()> {
        let port = self.port;
        let folder = TempDir::with_prefix("souk-oidc-")?;
        let script = folder.path().join("provider.mjs");
        fs::write(&script, SCRIPT)?;
        // Node looks for imported packages in the folder of the script.
        symlink(package_folder()?.join("node_modules"), folder.path().join("node_modules"))?;
        let mut command = Command::new("node");
        command.arg(script).args([&port.to_string(), &self.issuer]);
        command.args([&self.client.id, &self.client.secret, &self.client.redirect_uri]);
        let instance = Instance::start("oidc-provider", folder, &mut command, || is_ready(port))?;
        self.instance = Some(instance);
        Ok(())
    }
}

fn is_ready(port: u16) -> bool {
    let exchange = || -> std::io::Result<String> {
        let mut stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_read_timeout(Some(Duration::from_secs(5)))?;
        stream.write_all(b"GET /.well-known/openid-configuration HTTP/1.0\r\nHost: 127.0.0.1\r\n\r\n")?;
        let mut response = String::new();
        stream.read_to_string(&mut response)?;
        Ok(response)
    };
    exchange().is_ok_and(|response| response.contains("authorization_endpoint"))
}
