//! Checks of the language of the source and of the history: doc comments that name their thing, functions that fit on
//! a screen, one statement per value, and subjects of commits.

use super::assert_none;
use crate::figures::{sources, subject_faults};

#[test]
fn sources_keep_the_rules_of_language() {
    let mut findings = Vec::new();
    for (path, source) in sources().expect("the sources can be read") {
        let faults = source.faults().into_iter();
        findings.extend(faults.map(|(line, fault)| format!("{}:{line}: {fault}", path.display())));
    }
    assert_none(&findings);
}

#[test]
fn subjects_of_commits_name_area_and_change() {
    assert_none(&subject_faults().expect("the history can be read"));
}
