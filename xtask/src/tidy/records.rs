//! Checks of decision records: each has a date and a number of its own.

use std::path::Path;

use super::{assert_none, text, tracked_files};

/// Lines at the top of a record that may hold its date.
const HEAD_LINES: usize = 10;

/// Returns true if a line holds a date such as 2026-11-21.
fn holds_date(line: &str) -> bool {
    let shape = |window: &[u8]| {
        window
            .iter()
            .enumerate()
            .all(|(index, byte)| if index == 4 || index == 7 { *byte == b'-' } else { byte.is_ascii_digit() })
    };
    line.as_bytes().windows(10).any(shape)
}

/// The number in a file name such as `0007-a-title.md`.
fn number(file_name: &str) -> Option<u32> {
    let (number, title) = file_name.strip_suffix(".md")?.split_once('-')?;
    let is_title = !title.is_empty()
        && title.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
    if number.len() == 4 && is_title { number.parse().ok() } else { None }
}

#[test]
fn every_decision_record_is_numbered_and_dated() {
    let mut findings = Vec::new();
    let mut numbers = Vec::new();
    for path in tracked_files().iter().filter(|path| path.starts_with("docs/adr")) {
        let name = path.file_name().and_then(|name| name.to_str()).unwrap_or_default();
        match number(name) {
            Some(number) => numbers.push(number),
            None => findings.push(format!("{}: not named as in 0001-title.md", path.display())),
        }
        if !is_dated(path) {
            findings.push(format!("{}: no date in its first {HEAD_LINES} lines", path.display()));
        }
    }
    numbers.sort_unstable();
    let expected: Vec<u32> = (1..).take(numbers.len()).collect();
    if numbers != expected {
        findings.push(format!("docs/adr: the numbers are {numbers:?}"));
    }
    assert_none(&findings);
}

fn is_dated(path: &Path) -> bool {
    text(path).is_some_and(|text| text.lines().take(HEAD_LINES).any(holds_date))
}

#[test]
fn wrong_names_and_dates_are_rejected() {
    assert_eq!(number("0012-a-log-in-sqlite.md"), Some(12));
    for name in ["12-a.md", "0012.md", "0012-.md", "0012-A.md", "0012-a.txt", "README.md"] {
        assert_eq!(number(name), None, "{name}");
    }
    assert!(holds_date("Date: 2026-11-21"));
    assert!(!holds_date("2026-1-21, 20261121"));
}
