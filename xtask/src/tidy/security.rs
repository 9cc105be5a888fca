//! Check of `docs/SECURITY.md`: each row of its table of threats names tests that exist. A stage of the test
//! run checks that these tests have run.

use super::{assert_none, text};
use crate::claims::{self, DOCUMENT};

/// Minimum number of rows. Fewer rows mean that the check can't read the table any more.
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
