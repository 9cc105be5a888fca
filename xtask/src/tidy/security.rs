//! `docs/SECURITY.md`: each row of its table of threats names tests that exist. That they ran is a stage of the test run.

use super::{assert_none, text};
use crate::claims::{self, DOCUMENT};

/// Rows that the table has at least.
const ROWS_MIN: usize = 30;

#[test]
fn every_threat_names_tests_that_exist() {
    let document = text(std::path::Path::new(DOCUMENT)).expect("the document is text");
    let rows = claims::claims(&document);
    assert!(rows.len() >= ROWS_MIN, "only {} rows are read", rows.len());
    let tests = claims::tests_of_checkout().expect("every source file can be read");
    let findings: Vec<String> =
        rows.iter().flat_map(|claim| claims::tests_named_by(claim, &tests).1).collect();
    assert_none(&findings);
}
