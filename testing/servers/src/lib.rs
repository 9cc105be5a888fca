//! Real servers for tests. Each instance listens on a free port of the loopback interface and keeps its data
//! in a temporary folder. Dropping the instance stops the server and deletes the data.
//!
//! [`load_page`] loads a page in a real browser.
//!
//! `cargo xtask engines` installs missing programs, and starts one server of each kind for manual use.

mod browser;
mod chromium;
mod instance;
mod oidc;
mod redis;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

pub use browser::{Browser, Page};
pub use chromium::load_page;
pub use instance::free_port;
pub use oidc::{Client, OpenIdProvider};
pub use redis::Redis;

/// Installs the programs that are missing.
pub fn install() -> Result<()> {
    redis::install()?;
    chromium::install()?;
    oidc::install()
}

/// Folder for installed programs that are not packages of the operating system. It is outside the checkout.
fn cache() -> Result<PathBuf> {
    let variable = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = variable("XDG_CACHE_HOME").or_else(|| variable("HOME").map(|home| home.join(".cache")));
    let folder = folder.context("programs can't be installed: set XDG_CACHE_HOME or HOME")?;
    Ok(folder.join("souk").join("engines"))
}

/// Installs a package of the operating system if its program is missing.
fn install_package(program: &str, package: &str) -> Result<()> {
    if is_installed(program) {
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command.output().with_context(|| format!("{program} is not installed, and apt-get can't be run"))
    };
    let install = ["install", "--yes", "--no-install-recommends", package];
    if apt(&install)?.status.success() {
        return Ok(());
    }
    // The package list of the system may be missing or out of date.
    apt(&["update"])?;
    let output = apt(&install)?;
    ensure!(
        output.status.success(),
        "the package {package} can't be installed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn is_installed(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Runs a program, and waits for its end.
fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} can't be run"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
