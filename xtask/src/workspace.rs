//! Where the checkout and its build output are, and how `souk` is built.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// The checkout's root: of the one that cargo runs this in, which is not always the one it was compiled in
/// when several share a build folder.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let manifest =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = PathBuf::from(manifest).parent().map(Path::to_owned);
        root.expect("xtask lies in the root of the workspace")
    })
}

/// Cargo, run in the checkout's root: the one that runs this program, when one does.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// What `cargo metadata` says of the workspace.
pub(crate) fn metadata(arguments: &[&str]) -> Result<Value> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1"]).args(arguments);
    let output = command.output().context("cargo metadata can't be run")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Every file of the checkout that isn't ignored, from its root.
pub(crate) fn tracked_files() -> Result<Vec<PathBuf>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output =
        Command::new("git").args(arguments).current_dir(root()).output().context("git can't be run")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).context("a path is not UTF-8")?;
    let files = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    // A file that is deleted but not committed is listed still.
    Ok(files.filter(|path| root().join(path).is_file()).collect())
}

/// The folder cargo builds into, whatever variable or configuration names it.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    metadata["target_directory"].as_str().map(PathBuf::from).context("cargo metadata names no target folder")
}

/// Which build of `souk` is meant.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Profile {
    /// What the tests build.
    Dev,
    /// What a shop runs on.
    Release,
}

/// Builds `souk` and says where it is.
pub(crate) fn build_souk(profile: Profile) -> Result<PathBuf> {
    let mut command = cargo();
    match profile {
        // By itself it would be built with other features of its dependencies than beside the tests: all twice.
        Profile::Dev => command.args(["test", "--quiet", "--workspace", "--no-run"]),
        Profile::Release => {
            command.args(["build", "--quiet", "--package", "souk", "--bin", "souk", "--release"])
        }
    };
    ensure!(command.status().context("cargo can't be run")?.success(), "souk does not build");
    let folder = if profile == Profile::Release { "release" } else { "debug" };
    let binary = target_folder()?.join(folder).join(format!("souk{}", std::env::consts::EXE_SUFFIX));
    ensure!(binary.is_file(), "cargo built no {}", binary.display());
    Ok(binary)
}
