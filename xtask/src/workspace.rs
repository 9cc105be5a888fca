//! Paths of the checkout and its build output, and builds of `souk`.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

use anyhow::{Context, Result, ensure};
use serde_json::Value;

/// Root folder of the checkout in which cargo runs this program. If several checkouts share a build folder,
/// this may be another one than the checkout in which the program was compiled.
pub(crate) fn root() -> &'static Path {
    static ROOT: OnceLock<PathBuf> = OnceLock::new();
    ROOT.get_or_init(|| {
        let manifest =
            std::env::var_os("CARGO_MANIFEST_DIR").unwrap_or_else(|| env!("CARGO_MANIFEST_DIR").into());
        let root = PathBuf::from(manifest).parent().map(Path::to_owned);
        root.expect("the folder xtask is in the root of the workspace")
    })
}

/// Command that runs cargo in the root of the checkout: the cargo that runs this program, if there is one.
pub(crate) fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    command.current_dir(root());
    command
}

/// Output of `cargo metadata` for the workspace.
pub(crate) fn metadata(arguments: &[&str]) -> Result<Value> {
    let mut command = cargo();
    command.args(["metadata", "--format-version", "1"]).args(arguments);
    let output = command.output().context("cargo metadata can't be run")?;
    ensure!(output.status.success(), "cargo metadata: {}", String::from_utf8_lossy(&output.stderr));
    Ok(serde_json::from_slice(&output.stdout)?)
}

/// Paths of all files of the checkout that git does not ignore, relative to its root.
pub(crate) fn tracked_files() -> Result<Vec<PathBuf>> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output =
        Command::new("git").args(arguments).current_dir(root()).output().context("git can't be run")?;
    ensure!(output.status.success(), "git ls-files: {}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).context("a path is not UTF-8")?;
    let files = listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from);
    // git still lists a deleted file until the deletion is committed.
    Ok(files.filter(|path| root().join(path).is_file()).collect())
}

/// Folder that cargo builds into, from any variable or configuration.
pub(crate) fn target_folder() -> Result<PathBuf> {
    let metadata = metadata(&["--no-deps"])?;
    metadata["target_directory"].as_str().map(PathBuf::from).context("cargo metadata names no target folder")
}

/// Build profile of `souk`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Profile {
    /// The unoptimised build of the tests, with debug assertions.
    Dev,
    /// The optimised build for production.
    Release,
}

/// Builds `souk` and returns the path of the program.
pub(crate) fn build_souk(profile: Profile) -> Result<PathBuf> {
    let mut command = cargo();
    match profile {
        // Building only `souk` would use other features of the dependencies than the tests do, and compile
        // everything twice.
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
