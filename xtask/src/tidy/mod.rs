//! Tidy checks: rules of the project that no compiler knows, as ordinary tests.
//!
//! Each check is a function from a text to what is wrong with it, tried on examples here and then on every
//! file git knows or would take (`git ls-files`).

mod catalogue;
mod crates;
mod dependencies;
mod files;
mod records;

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::workspace;

/// Every file of the checkout that isn't ignored, from its root.
fn tracked_files() -> Vec<PathBuf> {
    let arguments = ["ls-files", "-z", "--cached", "--others", "--exclude-standard"];
    let output = Command::new("git").args(arguments).current_dir(workspace::root()).output();
    let output = output.expect("git can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let listed = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let mut files: Vec<PathBuf> =
        listed.split('\0').filter(|path| !path.is_empty()).map(PathBuf::from).collect();
    // A file that is deleted but not committed is listed still.
    files.retain(|path| workspace::root().join(path).is_file());
    assert!(files.len() > 20, "git lists only {} files", files.len());
    files
}

/// A file's text; `None` when it is no text.
fn text(path: &Path) -> Option<String> {
    String::from_utf8(std::fs::read(workspace::root().join(path)).expect("a listed file can be read")).ok()
}

/// Fails with every finding, a line each.
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}
