//! `cargo xtask mutants`: applies small patches with known bugs, which the tests must find. The lossy disk
//! must find bugs of an SQLite adapter, and the simulation all others.
//!
//! Each patch is applied to a copy of the source tree with its own build folder, so the checkout stays
//! unchanged. A bug that a thousand seeds do not find shows a gap in the simulation.

use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail, ensure};
use clap::Args;

use crate::workspace;

/// Folder of the patches.
const FOLDER: &str = "tests/mutants";
/// Largest number of seeds that run for one bug.
const SEEDS: u64 = 1_000;
/// Mutants of every test run: few seeds find them, and they compile quickly.
pub(crate) const IN_EVERY_RUN: [&str; 2] = ["a-lost-wake-up", "an-id-not-derived"];

/// Options of `cargo xtask mutants`.
#[derive(Args)]
pub(crate) struct MutantOptions {
    /// Names of patches; default: all.
    names: Vec<String>,
}

/// Runs the selected mutants. Returns false if the tests miss one.
pub(crate) fn run(options: &MutantOptions) -> Result<bool> {
    let mut all: Vec<String> = Vec::new();
    for entry in std::fs::read_dir(workspace::root().join(FOLDER))? {
        let name = entry?.file_name().to_string_lossy().into_owned();
        all.extend(name.strip_suffix(".patch").map(str::to_owned));
    }
    all.sort();
    let unknown: Vec<&String> = options.names.iter().filter(|name| !all.contains(name)).collect();
    ensure!(unknown.is_empty(), "unknown mutants {unknown:?}; known mutants: {}", all.join(", "));
    let selected = if options.names.is_empty() { all } else { options.names.clone() };
    Ok(find_missed(&selected)?.is_empty())
}

/// Runs mutants by name, and returns the names of those that the tests miss.
pub(crate) fn find_missed(names: &[String]) -> Result<Vec<String>> {
    let scratch = tempfile::tempdir()?;
    let tree = scratch.path().join("tree");
    copy_tree(&tree)?;
    let target = workspace::target_folder()?.join("mutants");
    let mut checked_tests = Vec::new();
    let mut missed = Vec::new();
    for name in names {
        let patch = workspace::root().join(FOLDER).join(format!("{name}.patch"));
        let test = test_that_finds(&patch)?;
        if !checked_tests.contains(&test) {
            let failed = run_seeds(test, &tree, &target)?;
            ensure!(failed.is_none(), "{} fails without any mutant", test.package);
            checked_tests.push(test);
        }
        apply(&tree, &patch, &[])?;
        if let Some(found) = run_seeds(test, &tree, &target)? {
            println!("{name}: found by seed {found}");
        } else {
            println!("{name}: NOT FOUND in {SEEDS} seeds");
            missed.push(name.clone());
        }
        apply(&tree, &patch, &["--reverse"])?;
    }
    Ok(missed)
}

/// Test that runs many seeds.
#[derive(Clone, Copy, PartialEq, Eq)]
struct SeedTest {
    package: &'static str,
    name: &'static str,
}

/// Test of the SQLite adapters on the lossy disk.
const LOSSY_DISK: SeedTest =
    SeedTest { package: "souk-lossy-disk", name: "acknowledged_appends_survive_all_disk_faults" };
/// Test of the whole shop in the simulation.
const SIMULATION: SeedTest =
    SeedTest { package: "souk-simulation", name: "stock_and_money_match_the_orders_after_all_faults" };

/// Returns the test that must find the bug of a patch.
fn test_that_finds(patch: &Path) -> Result<SeedTest> {
    let text = std::fs::read_to_string(patch)?;
    let is_of_an_adapter = text.lines().any(|line| line.starts_with("+++ b/infra/"));
    Ok(if is_of_an_adapter { LOSSY_DISK } else { SIMULATION })
}

/// Copies all files of the checkout that git does not ignore.
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
        let from = workspace::root().join(name);
        let to = tree.join(name);
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

/// Runs the seeds of a test in a source tree. Returns the seed that failed; none if all pass.
fn run_seeds(test: SeedTest, tree: &Path, target: &Path) -> Result<Option<u64>> {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(tree).env("CARGO_TARGET_DIR", target).env("SOUK_SEEDS", SEEDS.to_string());
    command.args([
        "test",
        "--quiet",
        "--package",
        test.package,
        "--test",
        "seeds",
        test.name,
        "--",
        "--exact",
    ]);
    let output = command.output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    let printed = String::from_utf8_lossy(&output.stdout);
    if output.status.success() {
        // Without this check, a renamed test would count as a pass of all seeds.
        ensure!(printed.contains("running 1 test\n"), "{} has no test {}", test.package, test.name);
        return Ok(None);
    }
    let seed = error
        .lines()
        .chain(printed.lines())
        .find_map(|line| line.strip_prefix("seed ")?.split_once(" failed")?.0.parse().ok());
    Ok(Some(seed.with_context(|| format!("the simulation did not run: {error}"))?))
}
