//! Chromium without a screen, for tests of pages with scripts.

use std::process::Command;

use anyhow::{Context as _, Result, ensure};
use tempfile::TempDir;

use crate::{install_package, is_installed};

/// Package of the operating system, and its program.
const PACKAGE: &str = "chromium-headless-shell";
/// Programs that can load a page. The build servers of GitHub have the last one.
const PROGRAMS: [&str; 3] = [PACKAGE, "chromium", "google-chrome"];
/// Time after which a page counts as loaded, in milliseconds. While a page waits for the network, this clock
/// stands still.
const LOADED_AFTER_MS: u32 = 5_000;

pub(crate) fn install() -> Result<()> {
    match program() {
        Some(_) => Ok(()),
        None => install_package(PACKAGE, PACKAGE),
    }
}

fn program() -> Option<&'static str> {
    PROGRAMS.into_iter().find(|program| is_installed(program))
}

/// Loads a page, runs its scripts, and returns the document as HTML.
pub fn load_page(url: &str) -> Result<String> {
    let program = program().context("Chromium is not installed: `cargo xtask engines` installs it")?;
    let profile = TempDir::with_prefix("souk-chromium-")?;
    let mut command = Command::new(program);
    // The sandbox of Chromium does not work for root.
    command.args(["--headless", "--no-sandbox", "--dump-dom"]);
    command.arg(format!("--virtual-time-budget={LOADED_AFTER_MS}"));
    command.arg(format!("--user-data-dir={}", profile.path().display()));
    let output = command.arg(url).output().with_context(|| format!("{program} can't be run"))?;
    ensure!(output.status.success(), "{program} failed: {}", String::from_utf8_lossy(&output.stderr));
    Ok(String::from_utf8(output.stdout)?)
}
