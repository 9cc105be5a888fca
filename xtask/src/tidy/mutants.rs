//! Check of the planted bugs in `tests/mutants/`: each patch applies to the source of today.

use std::process::Command;

use super::{assert_none, tracked_files};
use crate::workspace;

#[test]
fn every_mutant_applies_to_the_source() {
    let patches: Vec<_> =
        tracked_files().into_iter().filter(|path| path.starts_with("tests/mutants")).collect();
    let patches: Vec<_> = patches
        .iter()
        .filter(|path| path.extension().is_some_and(|extension| extension == "patch"))
        .collect();
    assert!(!patches.is_empty());
    let mut findings = Vec::new();
    for patch in patches {
        let mut git = Command::new("git");
        git.args(["apply", "--check"]).arg(patch).current_dir(workspace::root());
        let output = git.output().expect("git can be run");
        if !output.status.success() {
            findings.push(format!("{}: {}", patch.display(), String::from_utf8_lossy(&output.stderr)));
        }
    }
    assert_none(&findings);
}
