//! `cargo xtask fuzz`: bytes from outside, made up from a kept corpus, against everything that reads them.
//!
//! The targets lie in `testing/fuzz/`, a workspace of its own: it is built with other flags. What is found new
//! goes into the target folder; what breaks a target is printed and kept there.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::workspace;

/// The version of cargo-fuzz that is installed.
const CARGO_FUZZ: &str = "0.13.2";
/// Seconds that a test run gives each target.
pub(crate) const SECONDS: u32 = 10;
/// Bytes of the longest input.
const INPUT_BYTES_MAX: u32 = 4_096;

/// What is fuzzed and how long.
#[derive(Args)]
pub(crate) struct FuzzOptions {
    /// Names of targets; all when none is named.
    targets: Vec<String>,
    /// Seconds for each.
    #[arg(long, default_value_t = SECONDS)]
    seconds: u32,
}

/// Fuzzes; false when something broke.
pub(crate) fn run(options: &FuzzOptions) -> Result<bool> {
    let known = targets()?;
    let unknown: Vec<&String> = options.targets.iter().filter(|name| !known.contains(name)).collect();
    ensure!(unknown.is_empty(), "no target is called {unknown:?}: {} are there", known.join(", "));
    let wanted = if options.targets.is_empty() { known } else { options.targets.clone() };
    let tools = install()?;
    let mut is_sound = true;
    for target in wanted {
        is_sound &= fuzzed(&tools, &target, options.seconds)?;
    }
    Ok(is_sound)
}

/// Every target for that long; false when something broke.
pub(crate) fn all(seconds: u32) -> Result<bool> {
    run(&FuzzOptions { targets: Vec::new(), seconds })
}

fn targets() -> Result<Vec<String>> {
    let mut names = Vec::new();
    for entry in std::fs::read_dir(workspace::root().join("testing/fuzz/fuzz_targets"))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        names.extend(name.strip_suffix(".rs").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn fuzzed(tools: &Path, target: &str, seconds: u32) -> Result<bool> {
    println!("-- {target}");
    let fuzz = workspace::root().join("testing/fuzz");
    let folder = workspace::target_folder()?.join("fuzz");
    let found = folder.join("corpus").join(target);
    std::fs::create_dir_all(&found)?;
    let mut command = cargo();
    // Without a sanitizer: nothing that is fuzzed here is unsafe, and the compiler stays the stable one.
    command
        .current_dir(workspace::root())
        .env("PATH", path_with(tools)?)
        .args(["fuzz", "run", "--dev", "--sanitizer", "none", "--fuzz-dir"])
        .arg(&fuzz)
        .arg("--target-dir")
        .arg(&folder)
        .arg(target)
        .arg(&found)
        .arg(fuzz.join("corpus").join(target))
        .args(["--", "-print_final_stats=1", "-verbosity=0"])
        .arg(format!("-artifact_prefix={}/", found.display()))
        .args([format!("-max_total_time={seconds}"), format!("-max_len={INPUT_BYTES_MAX}")]);
    Ok(command.status().context("cargo fuzz can't be run")?.success())
}

/// Installs cargo-fuzz into the target folder, when it is not there.
fn install() -> Result<PathBuf> {
    let root = workspace::target_folder()?.join("tools").join(format!("cargo-fuzz-{CARGO_FUZZ}"));
    let tools = root.join("bin");
    if !tools.join("cargo-fuzz").exists() {
        let mut command = cargo();
        command.args(["install", "--quiet", "--locked", "cargo-fuzz", "--version", CARGO_FUZZ, "--root"]);
        ensure!(command.arg(&root).status()?.success(), "cargo-fuzz can't be installed");
    }
    Ok(tools)
}

fn cargo() -> Command {
    Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
}

fn path_with(tools: &Path) -> Result<std::ffi::OsString> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    Ok(std::env::join_paths(std::iter::once(tools.to_owned()).chain(std::env::split_paths(&path)))?)
}
