//! `cargo xtask mutants`: planted bugs, each a small patch, that the simulation must find: those of an
//! adapter over the lossy disk, the others in the simulation of the whole loop.
//!
//! Each is applied to a copy of the tree, which has its own build folder; the checkout stays as it is. A
//! bug that a thousand seeds don't find is a hole in the simulation.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::workspace;

/// Where the patches lie.
const FOLDER: &str = "tests/mutants";
/// Seeds that may pass until a bug is found.
const SEEDS: u64 = 1_000;
/// Found within few seeds, and quick to build: these two are part of every test run.
pub(crate) const IN_EVERY_RUN: [&str; 2] = ["a-lost-wake-up", "an-id-not-derived"];

/// What of the mutants is run.
#[derive(Args)]
pub(crate) struct MutantOptions {
    /// Names of patches; all when none is named.
    names: Vec<String>,
}

/// Runs mutants; false when one is not found.
pub(crate) fn run(options: &MutantOptions) -> Result<bool> {
    let mut all: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(workspace::root().join(FOLDER))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        all.extend(name.strip_suffix(".patch").map(str::to_owned));
    }
    all.sort();
    let unknown: Vec<&String> = options.names.iter().filter(|name| !all.contains(name)).collect();
    ensure!(unknown.is_empty(), "no mutant is called {unknown:?}: {} are there", all.join(", "));
    let wanted = if options.names.is_empty() { all } else { options.names.clone() };
    Ok(missed(&wanted)?.is_empty())
}

/// Runs mutants by name, and tells which are not found.
pub(crate) fn missed(names: &[String]) -> Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    let tree = scratch.path().join("tree");
    copy_tree(&tree)?;
    let target = workspace::target_folder()?.join("mutants");
    let mut sound = Vec::new();
    let mut missed = Vec::new();
    for name in names {
        let patch = workspace::root().join(FOLDER).join(format!("{name}.patch"));
        let package = package_that_finds(&patch)?;
        if !sound.contains(&package) {
            let failed = simulate(package, &tree, &target)?;
            ensure!(failed.is_none(), "{package} fails without any mutant");
            sound.push(package);
        }
        apply(&tree, &patch, &[])?;
        if let Some(found) = simulate(package, &tree, &target)? {
            println!("{name}: found by seed {found}");
        } else {
            println!("{name}: NOT FOUND in {SEEDS} seeds");
            missed.push(name.clone());
        }
        apply(&tree, &patch, &["--reverse"])?;
    }
    Ok(missed)
}

/// The package whose seeds are to find a bug.
fn package_that_finds(patch: &Path) -> Result<&'static str> {
    let text = std::fs::read_to_string(patch)?;
    let is_of_an_adapter = text.lines().any(|line| line.starts_with("+++ b/infra/"));
    Ok(if is_of_an_adapter { "souk-lossy-disk" } else { "souk-simulation" })
}

/// Copies what belongs to the checkout.
fn copy_tree(tree: &Path) -> Result<()> {
    let mut listed = Command::new("git");
    let listed = listed.current_dir(workspace::root()).args([
        "ls-files",
        "-z",
        "--cached",
        "--others",
        "--exclude-standard",
    ]);
    let listed = listed.output().context("git can't be run")?;
    ensure!(listed.status.success(), "git ls-files: {}", String::from_utf8_lossy(&listed.stderr));
    for name in String::from_utf8(listed.stdout)?.split_terminator('\0') {
        let (from, to) = (workspace::root().join(name), tree.join(name));
        if from.is_file() {
            std::fs::create_dir_all(to.parent().unwrap_or(tree))?;
            std::fs::copy(&from, &to).with_context(|| format!("{name} can't be copied"))?;
        }
    }
    Ok(())
}

fn apply(tree: &Path, patch: &Path, arguments: &[&str]) -> Result<()> {
    let mut command = Command::new("git");
    let applied = command.current_dir(tree).arg("apply").args(arguments).arg(patch).output()?;
    if !applied.status.success() {
        bail!("{} does not apply: {}", patch.display(), String::from_utf8_lossy(&applied.stderr));
    }
    Ok(())
}

/// Runs the seeds of a package in a tree; the one that failed.
fn simulate(package: &str, tree: &Path, target: &Path) -> Result<Option<u64>> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(tree).env("CARGO_TARGET_DIR", target).env("SOUK_SEEDS", SEEDS.to_string());
    command.args(["test", "--quiet", "--package", package, "--test", "seeds", "whatever"]);
    let output = command.output()?;
    if output.status.success() {
        return Ok(None);
    }
    let error = String::from_utf8_lossy(&output.stderr);
    let told = String::from_utf8_lossy(&output.stdout);
    let seed = error
        .lines()
        .chain(told.lines())
        .find_map(|line| line.strip_prefix("seed ")?.split_once(" failed")?.0.parse().ok());
    Ok(Some(seed.with_context(|| format!("the simulation does not run: {error}"))?))
}
