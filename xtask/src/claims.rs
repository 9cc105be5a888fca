//! Check of `docs/SECURITY.md`: each row of its table of threats names tests, and all of them must exist and
//! run.
//!
//! A row names a test by its function, or all tests of a file by the path of the file. A test has run if a
//! stage of the test run printed it as `ok`.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use anyhow::{Context, Result, ensure};

use crate::workspace;

/// Path of the document in the checkout.
pub(crate) const DOCUMENT: &str = "docs/SECURITY.md";
/// Heading of the section with the table of threats.
const HEADING: &str = "## Threats";
/// Stages of the test run whose output lists tests.
const STAGES: [&str; 2] = ["tests", "tidy"];

/// Names of test functions, by the path of their file.
pub(crate) type TestsByFile = BTreeMap<String, BTreeSet<String>>;

/// Row of the table of threats.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    pub(crate) threat: String,
    /// Names of tests, files and commands in the last cell: everything in backticks.
    pub(crate) shown_by: Vec<String>,
}

/// Returns the rows of the table of threats.
pub(crate) fn claims(document: &str) -> Vec<Claim> {
    let behind_heading = document.split_once(HEADING).map_or("", |(_, rest)| rest);
    let rows = behind_heading.lines().take_while(|line| !line.starts_with("## "));
    let rows = rows.filter(|line| line.starts_with("| ")).skip(1);
    rows.map(claim).collect()
}

fn claim(row: &str) -> Claim {
    let cells: Vec<&str> = row.trim().trim_matches('|').split(" | ").collect();
    let last = cells.last().copied().unwrap_or_default();
    let code = last.split('`').skip(1).step_by(2).map(str::to_owned);
    Claim { threat: cells[0].trim().to_owned(), shown_by: code.collect() }
}

/// Reader of the lines of a source file that finds test functions. Each has an attribute that ends in `test]`
/// or `test(…)]` above it.
#[derive(Default)]
pub(crate) struct TestLines {
    is_test: bool,
}

impl TestLines {
    /// Reads the next line. Returns the name of the test function that begins on it.
    pub(crate) fn read(&mut self, line: &str) -> Option<String> {
        let line = line.trim();
        if line.starts_with("#[") {
            let attribute = line.trim_start_matches("#[").split(['(', ']']).next().unwrap_or_default();
            self.is_test |= attribute == "test" || attribute.ends_with("::test");
        } else if let Some((_, rest)) = line.split_once("fn ").filter(|_| self.is_test) {
            self.is_test = false;
            return rest.split(['(', '<']).next().map(str::to_owned);
        } else if !line.is_empty() && !line.starts_with("//") {
            // The attribute belongs to an item that is not a function.
            self.is_test = false;
        }
        None
    }
}

/// Returns the names of the test functions in a source file.
pub(crate) fn tests_in(source: &str) -> BTreeSet<String> {
    let mut lines = TestLines::default();
    source.lines().filter_map(|line| lines.read(line)).collect()
}

/// Returns the tests that a row names, and a finding for each unknown name and for a row without tests.
pub(crate) fn tests_named_by(claim: &Claim, tests: &TestsByFile) -> (BTreeSet<String>, Vec<String>) {
    let mut names = BTreeSet::new();
    let mut findings = Vec::new();
    let finding = |what: &str| format!("{DOCUMENT}: \"{}\": {what}", claim.threat);
    for name in claim.shown_by.iter().filter(|name| !name.starts_with("cargo xtask ")) {
        let of_file = tests.get(name).filter(|tests| !tests.is_empty());
        if let Some(of_file) = of_file {
            names.extend(of_file.iter().cloned());
        } else if tests.values().any(|tests| tests.contains(name)) {
            names.insert(name.clone());
        } else {
            findings.push(finding(&format!("`{name}` is neither a test nor a file with tests")));
        }
    }
    if names.is_empty() && findings.is_empty() {
        findings.push(finding("names no test"));
    }
    (names, findings)
}

/// Returns the names of the tests that a stage printed as passed.
fn passed_tests(printed: &str) -> BTreeSet<String> {
    let lines = printed.lines().filter_map(|line| line.strip_prefix("test ")?.strip_suffix(" ... ok"));
    let names = lines.map(|path| path.split(" - ").next().unwrap_or(path));
    names.filter_map(|path| path.rsplit("::").next()).map(str::to_owned).collect()
}

/// Checks that the tests of every row passed in this test run. Returns false if one did not.
pub(crate) fn check_tests_ran(tests: &TestsByFile) -> Result<bool> {
    let folder = workspace::target_folder()?.join("test-run");
    let mut ran = BTreeSet::new();
    for stage in STAGES {
        let path = folder.join(format!("{stage}.txt"));
        let printed = std::fs::read(&path);
        let printed =
            printed.with_context(|| format!("{}: run the stage `{stage}` first", path.display()))?;
        ran.extend(passed_tests(&String::from_utf8_lossy(&printed)));
    }
    let document = std::fs::read_to_string(workspace::root().join(DOCUMENT))?;
    let claims = claims(&document);
    ensure!(!claims.is_empty(), "{DOCUMENT} has no table of threats");
    let mut findings = Vec::new();
    let mut checked = 0;
    for claim in &claims {
        let (names, of_names) = tests_named_by(claim, tests);
        findings.extend(of_names);
        checked += names.len();
        for name in names.difference(&ran) {
            findings.push(format!("{DOCUMENT}: \"{}\": `{name}` did not run, or failed", claim.threat));
        }
    }
    for finding in &findings {
        println!("WRONG  {finding}");
    }
    println!("{} rows name {checked} tests", claims.len());
    Ok(findings.is_empty())
}

/// Returns the test functions of every source file of the checkout.
pub(crate) fn tests_of_checkout() -> Result<TestsByFile> {
    let mut tests = TestsByFile::new();
    for path in workspace::tracked_files()? {
        if path.extension().is_some_and(|extension| extension == "rs") {
            let source = std::fs::read_to_string(workspace::root().join(&path))?;
            tests.insert(name_of(&path), tests_in(&source));
        }
    }
    Ok(tests)
}

fn name_of(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    const TABLE: &str = "# S\n| x | y |\n\n## Threats\n\n| threat | answer | shown by |\n|---|---|---|\n\
        | a `b` | c | `one`, `a/b.rs`, `cargo xtask trial crash` |\n| d | e | words alone |\n\n## Not yet\n| f | g |\n";

    fn tests() -> TestsByFile {
        let of = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        TestsByFile::from([
            ("a/b.rs".to_owned(), of(&["two", "three"])),
            ("c.rs".to_owned(), of(&["one"])),
            ("empty.rs".to_owned(), of(&[])),
        ])
    }

    #[test]
    fn rows_are_read_only_from_the_table_of_threats() {
        let rows = claims(TABLE);
        let threats: Vec<&str> = rows.iter().map(|claim| claim.threat.as_str()).collect();
        assert_eq!(threats, ["a `b`", "d"]);
        assert_eq!(rows[0].shown_by, ["one", "a/b.rs", "cargo xtask trial crash"]);
    }

    #[test]
    fn a_file_name_means_all_its_tests_and_a_row_without_tests_is_a_finding() {
        let rows = claims(TABLE);
        let (names, findings) = tests_named_by(&rows[0], &tests());
        assert_eq!(names.into_iter().collect::<Vec<_>>(), ["one", "three", "two"]);
        assert!(findings.is_empty(), "{findings:?}");
        assert_eq!(tests_named_by(&rows[1], &tests()).1.len(), 1);
        for name in ["no_test", "no/file.rs", "empty.rs"] {
            let claim = Claim { threat: "t".to_owned(), shown_by: vec![name.to_owned()] };
            assert_eq!(tests_named_by(&claim, &tests()).1.len(), 1, "{name}");
        }
        let trial = Claim { threat: "t".to_owned(), shown_by: vec!["cargo xtask trial crash".to_owned()] };
        assert_eq!(tests_named_by(&trial, &tests()).1.len(), 1, "a trial is not a test");
    }

    #[test]
    fn only_functions_with_a_test_attribute_are_tests() {
        let source = "fn a() {}\n#[test]\nfn b() {}\n#[tokio::test(start_paused = true)]\n#[ignore = \"x\"]\nasync fn c() {}\n\
            #[derive(X)]\nstruct D;\nfn d() {}\n#[test]\n// why\nfn e<T>() {}\nfn test() {}\n";
        assert_eq!(tests_in(source).into_iter().collect::<Vec<_>>(), ["b", "c", "e"]);
    }

    #[test]
    fn only_tests_that_passed_count_as_run() {
        let printed = "running 4 tests\ntest a::b ... ok\ntest c ... FAILED\ntest d::e ... ignored, slow\n\
            test f - should panic ... ok\ntest result: ok. 2 passed\n";
        assert_eq!(passed_tests(printed).into_iter().collect::<Vec<_>>(), ["b", "f"]);
    }
}
