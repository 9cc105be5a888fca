//! Checks of the catalogue: unique codes, and an entry for every code that the shop sends.

use super::*;

#[test]
fn codes_are_unique_and_statuses_are_errors() {
    let mut codes: Vec<_> = CATALOGUE.iter().map(|entry| entry.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), CATALOGUE.len());
    assert!(CATALOGUE.iter().all(|entry| entry.status >= 400 && !entry.explanation.is_empty()));
}

/// Appends the text of every Rust file under a folder.
fn sources(folder: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Returns the text between each `mark` and the next quotation mark.
fn quoted_after<'a>(text: &'a str, mark: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(mark).skip(1).filter_map(|rest| rest.split_once('"').map(|(code, _)| code))
}

#[test]
fn every_code_that_the_shop_sends_has_an_entry() {
    let manifest = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let root = std::path::Path::new(&manifest).ancestors().nth(2).unwrap();
    let mut used = std::collections::BTreeSet::new();
    for (folder, mark) in [
        ("domain/src", "=> \""),
        ("support/http/src", "Problem::new(\""),
        ("command-api/src", "Problem::new(\""),
        ("query-api/src", "Problem::new(\""),
    ] {
        let mut files = Vec::new();
        sources(&root.join(folder), &mut files);
        for text in &files {
            let is_code_table = folder != "domain/src" || text.contains("impl Rejection for");
            used.extend(quoted_after(text, mark).filter(|_| is_code_table).map(str::to_owned));
        }
    }
    // Codes that end in `-not-found` are sent as `not-found` if they have no entry.
    let is_absence = |code: &str| code.ends_with("-not-found");
    let is_missing = |code: &&String| {
        !is_absence(code)
            && CATALOGUE.iter().all(|entry| entry.code != code.as_str())
            && pointer_of(code).is_none()
    };
    let missing: Vec<_> = used.iter().filter(is_missing).collect();
    assert!(used.len() > 30 && missing.is_empty(), "{missing:?}");
}
