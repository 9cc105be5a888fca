//! Checks of the catalogue: unique codes, an entry for every code that the shop sends, and no other entry.

use std::collections::BTreeSet;
use std::path::Path;

use super::*;

/// Codes that have an entry but that no version of the shop has sent.
const NEVER_SENT: [&str; 1] = ["idempotency-in-flight"];

#[test]
fn codes_are_unique_and_entries_have_an_error_status_and_an_explanation() {
    let codes: BTreeSet<_> = entries().map(|entry| entry.code).collect();
    assert_eq!(codes.len(), entries().count());
    assert!(entries().all(|entry| entry.status >= 400 && !entry.explanation.is_empty()));
}

/// Returns the texts of all Rust files under a folder of the repository, without files of tests.
fn sources(folder: &str) -> Vec<String> {
    let crate_folder = std::env::var("CARGO_MANIFEST_DIR").unwrap();
    let root = Path::new(&crate_folder).ancestors().nth(2).unwrap();
    let mut found = Vec::new();
    read_sources(&root.join(folder), &mut found);
    found
}

/// Appends the text of every Rust file under a folder to `found`, except files of tests.
fn read_sources(folder: &Path, found: &mut Vec<String>) {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            read_sources(&path, found);
        } else if path.extension().is_some_and(|extension| extension == "rs") && !path.ends_with("tests.rs") {
            found.push(std::fs::read_to_string(path).unwrap());
        }
    }
}

/// Returns the quoted texts that follow `start`, on the same line or the next.
fn texts_after<'a>(text: &'a str, start: &'a str) -> impl Iterator<Item = &'a str> {
    let quoted = |rest: &'a str| rest.trim_start().strip_prefix('"')?.split_once('"');
    text.split(start).skip(1).filter_map(move |rest| quoted(rest).map(|(code, _)| code))
}

/// Returns the codes of rejections in the text of a `rejection.rs` that have neither an entry nor, in the same
/// file, a pointer to a field.
fn undeclared_in(rejections: &str) -> Vec<&str> {
    let is_declared = |code: &str| {
        // Codes that end in `-not-found` are sent as `not-found`.
        code.ends_with("-not-found")
            || find(code).is_some()
            || rejections.contains(&format!("(\"{code}\", \"/"))
    };
    texts_after(rejections, "=> ").filter(|code| !is_declared(code)).collect()
}

#[test]
fn every_code_of_a_rejection_is_declared() {
    let mut rejections = sources("domain/src");
    rejections.retain(|text| text.contains("impl Rejection for"));
    let undeclared: Vec<_> = rejections.iter().flat_map(|text| undeclared_in(text)).collect();
    assert!(rejections.len() >= 10 && undeclared.is_empty(), "{undeclared:?}");
    assert_eq!(undeclared_in("Self::Empty => \"cart-empty\", Self::Odd => \"odd-cart\","), ["odd-cart"]);
}

// Proves: common.problem-pages
#[test]
fn every_code_that_the_shop_sends_has_an_entry() {
    let senders =
        ["support/http/src", "command-api/src", "query-api/src", "gateway/src", "src"].map(sources).concat();
    let sent: BTreeSet<&str> = senders.iter().flat_map(|text| texts_after(text, "Problem::new(")).collect();
    let missing: Vec<_> = sent.iter().filter(|code| find(code).is_none()).collect();
    assert!(sent.len() > 30 && missing.is_empty(), "{missing:?}");
}

#[test]
fn every_entry_is_used() {
    let folders =
        ["domain/src", "sign-in/src", "support/http/src", "command-api/src", "query-api/src", "gateway/src"];
    let text = folders.map(sources).concat().concat();
    // The entry itself contains the code once.
    let is_used = |code: &str| text.matches(&format!("\"{code}\"")).count() > 1;
    let unused: Vec<_> = entries().map(|entry| entry.code).filter(|code| !is_used(code)).collect();
    assert_eq!(unused, NEVER_SENT);
}
