//! Real servers for tests, installed and started as throwaway instances: on a free port of the loopback
//! interface, with data in a temporary folder, gone when the value is dropped.
//!
//! `cargo xtask engines` installs what is missing and starts one of each for use by hand.

mod browser;
mod instance;
mod oidc;
mod redis;

use std::path::PathBuf;
use std::process::Command;

use anyhow::{Context as _, Result, bail, ensure};

pub use browser::{Browser, Page};
pub use instance::free_port;
pub use oidc::{Client, OpenIdProvider};
pub use redis::Redis;

/// Installs what is missing.
pub fn install() -> Result<()> {
    redis::install()?;
    oidc::install()
}

/// Where installed programs are kept that are no packages of the system: outside of any checkout.
fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let folder = set("XDG_CACHE_HOME").or_else(|| set("HOME").map(|home| home.join(".cache")));
    let folder = folder.context("neither XDG_CACHE_HOME nor HOME says where programs can be kept")?;
    Ok(folder.join("souk").join("engines"))
}

/// Installs a package of the system, when its program isn't there.
fn install_package(program: &str, package: &str) -> Result<()> {
    if is_there(program) {
        return Ok(());
    }
    let apt = |arguments: &[&str]| {
        let mut command = Command::new("apt-get");
        command.args(arguments).env("DEBIAN_FRONTEND", "noninteractive");
        command.output().with_context(|| format!("{program} is not installed, and there is no apt-get"))
    };
    let install = ["install", "--yes", "--no-install-recommends", package];
    if apt(&install)?.status.success() {
        return Ok(());
    }
    // The system's list of packages may be missing or old.
    apt(&["update"])?;
    let output = apt(&install)?;
    ensure!(
        output.status.success(),
        "the package {package} can't be installed: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    Ok(())
}

fn is_there(program: &str) -> bool {
    let paths = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&paths).any(|folder| folder.join(program).is_file())
}

/// Runs a program to its end.
fn run(command: &mut Command) -> Result<()> {
    let output = command.output().with_context(|| format!("{command:?} can't be run"))?;
    if !output.status.success() {
        bail!("{command:?} failed: {}", String::from_utf8_lossy(&output.stderr));
    }
    Ok(())
}
