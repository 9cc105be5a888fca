//! `cargo xtask fuzz`: runs all parsers of outside input on random bytes, starting from a stored corpus.
//!
//! The fuzz targets are in `testing/fuzz/`, a separate workspace, because it is built with other flags. New
//! interesting inputs go to the target folder. An input that breaks a target is printed and stored there too.

use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, ensure};
use clap::Args;

use crate::workspace;

/// Version of cargo-fuzz to install.
const CARGO_FUZZ: &str = "0.13.2";
/// Seconds per target in a test run.
pub(crate) const SECONDS: u32 = 10;
/// Largest size of an input, in bytes.
const INPUT_BYTES_MAX: u32 = 4_096;

/// Options of `cargo xtask fuzz`.
#[derive(Args)]
pub(crate) struct FuzzOptions {
    /// Names of targets; default: all.
    targets: Vec<String>,
    /// Seconds per target.
    #[arg(long, default_value_t = SECONDS)]
    seconds: u32,
}

/// Fuzzes the selected targets. Returns false if one failed.
pub(crate) fn run(options: &FuzzOptions) -> Result<bool> {
    let known = targets()?;
    let unknown: Vec<&String> = options.targets.iter().filter(|name| !known.contains(name)).collect();
    ensure!(unknown.is_empty(), "unknown targets {unknown:?}; known targets: {}", known.join(", "));
    let selected = if options.targets.is_empty() { known } else { options.targets.clone() };
    let tools = install()?;
    let mut has_passed = true;
    for target in selected {
        has_passed &= fuzz_target(&tools, &target, options.seconds)?;
    }
    Ok(has_passed)
}

/// Fuzzes every target. Returns false if one failed.
pub(crate) fn fuzz_all(seconds: u32) -> Result<bool> {
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

fn fuzz_target(tools: &Path, target: &str, seconds: u32) -> Result<bool> {
    println!("-- {target}");
    let fuzz = workspace::root().join("testing/fuzz");
    let folder = workspace::target_folder()?.join("fuzz");
    let found = folder.join("corpus").join(target);
    std::fs::create_dir_all(&found)?;
    let mut command = cargo();
    // Without a sanitizer: the targets contain no unsafe code, and the stable compiler has no sanitizers.
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

/// Installs cargo-fuzz into the target folder if it is missing, and returns the folder of its program.
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
