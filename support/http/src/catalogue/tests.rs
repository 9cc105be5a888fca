//! Checks of the catalogue: unique codes, and an entry for every code that the shop sends.

use super::*;

#[test]
fn codes_are_unique_and_entries_have_an_error_status_and_an_explanation() {
    let mut codes: Vec<_> = CATALOGUE.iter().map(|entry| entry.code).collect();
    codes.sort_unstable();
    codes.dedup();
    assert_eq!(codes.len(), CATALOGUE.len());
    assert!(CATALOGUE.iter().all(|entry| entry.status >= 400 && !entry.explanation.is_empty()));
}

/// Appends the text of every Rust file under a folder to `found`.
fn read_sources(folder: &std::path::Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Returns the texts between each `start` and the next quotation mark.
fn texts_after<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(start).skip(1).filter_map(|rest| rest.split_once('"').map(|(code, _)| code))
}

#[test]
fn every_code_that_the_shop_sends_has_an_entry() {
    let crate_folder = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let root = std::path::Path::new(&crate_folder).ancestors().nth(2).unwrap();
    let mut used = std::collections::BTreeSet::new();
    for (folder, start) in [
        ("domain/src", "=> \""),
        ("support/http/src", "Problem::new(\""),
        ("command-api/src", "Problem::new(\""),
        ("query-api/src", "Problem::new(\""),
    ] {
        let mut files = Vec::new();
        read_sources(&root.join(folder), &mut files);
        for text in &files {
            let has_codes = folder != "domain/src" || text.contains("impl Rejection for");
            used.extend(texts_after(text, start).filter(|_| has_codes).map(str::to_owned));
        }
    }
    // Codes that end in `-not-found` are sent as `not-found` if they have no entry.
    let is_not_found = |code: &str| code.ends_with("-not-found");
    let is_missing = |code: &&String| {
        !is_not_found(code)
            && CATALOGUE.iter().all(|entry| entry.code != code.as_str())
            && pointer_of(code).is_none()
    };
    let missing: Vec<_> = used.iter().filter(is_missing).collect();
    assert!(used.len() > 30 && missing.is_empty(), "{missing:?}");
}
