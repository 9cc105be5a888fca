//! Tidy checks: rules of the project that no compiler knows, as ordinary tests.
//!
//! Most checks are functions that return the faults of a text. Tests try them on examples, and then on every
//! file that git does not ignore (`git ls-files`).

mod catalogue;
mod crates;
mod dependencies;
mod files;
mod glossary;
mod language;
mod mutants;
mod records;
mod release;
mod rules;
mod security;

use std::path::{Path, PathBuf};

use crate::workspace;

/// Every file of the checkout that git does not ignore, relative to its root.
fn tracked_files() -> Vec<PathBuf> {
    let files = workspace::tracked_files().expect("git can be run");
    assert!(files.len() > 20, "git lists only {} files", files.len());
    files
}

/// The text of a file; `None` if it is not UTF-8.
fn text(path: &Path) -> Option<String> {
    String::from_utf8(std::fs::read(workspace::root().join(path)).expect("a listed file can be read")).ok()
}

/// Panics with every finding on a line of its own.
fn assert_none(findings: &[String]) {
    assert!(findings.is_empty(), "\n{}", findings.join("\n"));
}
