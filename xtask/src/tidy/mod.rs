//! Tidy checks: rules of the project that no compiler knows, as ordinary tests.
//!
//! Each check is a function from a text to what is wrong with it, tried on examples here and then on every
//! file git knows or would take (`git ls-files`).

mod catalogue;
mod crates;
mod dependencies;
mod files;
mod records;
mod release;
mod security;

use std::path::{Path, PathBuf};

use crate::workspace;

/// Every file of the checkout that isn't ignored, from its root.
fn tracked_files() -> Vec<PathBuf> {
    let files = workspace::tracked_files().expect("git can be run");
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
