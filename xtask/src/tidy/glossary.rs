//! Checks of `docs/GLOSSARY.md`: sorted terms, one line each, and names in the source that use them.

use std::collections::BTreeSet;
use std::path::Path;

use super::{assert_none, text, tracked_files};

const GLOSSARY: &str = "docs/GLOSSARY.md";
/// Terms about the whole project, which no single name can use.
const WITHOUT_A_NAME: [&str; 2] = ["kernel", "step function"];
/// Beginnings of items that have a name.
const ITEMS: [&str; 6] = ["fn ", "struct ", "enum ", "trait ", "type ", "mod "];
/// Names of types that say "answer" and mean the answer to a process, as in the glossary. All results of HTTP requests
/// are named responses.
const ANSWERS: [&str; 2] = ["CommandAnswer", "ProviderAnswer"];

/// The terms of the glossary, in its order.
fn terms(glossary: &str) -> Vec<&str> {
    let lines = glossary.lines().filter_map(|line| line.strip_prefix("**"));
    lines.filter_map(|line| line.split_once("**: ").map(|(term, _)| term)).collect()
}

/// The words of a name such as `PersonKey` or `person_key`, in lower case.
fn words(name: &str) -> Vec<String> {
    let mut words = vec![String::new()];
    for character in name.chars() {
        if character.is_uppercase() || character == '_' || character == '-' || character == ' ' {
            words.push(String::new());
        }
        if character.is_alphanumeric() {
            let last = words.last_mut().expect("there is a word");
            last.extend(character.to_lowercase());
        }
    }
    words.retain(|word| !word.is_empty());
    words
}

/// The names of items in a source file.
fn names(source: &str) -> impl Iterator<Item = &str> {
    source.lines().filter_map(|line| {
        let line = line.trim_start();
        let item =
            ITEMS.into_iter().find_map(|item| line.split_once(item).filter(|(before, _)| is_head(before)))?;
        item.1.split(|c: char| !c.is_alphanumeric() && c != '_').next()
    })
}

/// Returns true if only visibility and modifiers stand before the keyword of an item.
fn is_head(before: &str) -> bool {
    before
        .split_whitespace()
        .all(|word| word.starts_with("pub") || ["async", "const", "unsafe"].contains(&word))
}

/// Words of all names in the source, of items and of files.
fn words_of_names() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    for path in
        tracked_files().iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
    {
        found.extend(path.iter().flat_map(|part| words(part.to_string_lossy().trim_end_matches(".rs"))));
        found.extend(names(&text(path).unwrap_or_default()).flat_map(words));
    }
    found
}

#[test]
fn names_in_the_source_use_every_term_of_the_glossary() {
    let glossary = text(Path::new(GLOSSARY)).expect("the glossary is text");
    let words_of_names = words_of_names();
    let is_used = |word: &String| {
        // A name may have the plural or another form: `parked` and `parking`, `capture` and `captured`.
        let stem = word.trim_end_matches("ed").trim_end_matches('e');
        words_of_names.iter().any(|name| name.starts_with(stem))
    };
    let terms = terms(&glossary).into_iter().filter(|term| !WITHOUT_A_NAME.contains(term));
    let unused = terms.filter(|term| !words(term).iter().all(is_used));
    assert_none(&unused.map(|term| format!("{GLOSSARY}: no name uses `{term}`")).collect::<Vec<_>>());
}

#[test]
fn the_glossary_is_sorted_and_has_each_term_once() {
    let glossary = text(Path::new(GLOSSARY)).expect("the glossary is text");
    let terms = terms(&glossary);
    let sorted: BTreeSet<&str> = terms.iter().copied().collect();
    assert!(terms.len() > 50, "only {} terms are read", terms.len());
    assert_eq!(terms, sorted.into_iter().collect::<Vec<_>>());
}

#[test]
fn only_results_of_processes_are_named_answers() {
    let mut findings = Vec::new();
    for path in
        tracked_files().iter().filter(|path| path.extension().is_some_and(|extension| extension == "rs"))
    {
        let source = text(path).unwrap_or_default();
        let answers = names(&source).filter(|name| name.ends_with("Answer") && !ANSWERS.contains(name));
        findings.extend(answers.map(|name| format!("{}: `{name}` is a response", path.display())));
    }
    assert_none(&findings);
}

#[test]
fn names_are_taken_apart_into_words() {
    assert_eq!(words("PersonKey"), ["person", "key"]);
    assert_eq!(words("is_noted"), ["is", "noted"]);
    let source = "    pub(crate) async fn delete_alias(&self) {\nlet fn_call = 1;\npub struct Personal<T> {";
    assert_eq!(names(source).collect::<Vec<_>>(), ["delete_alias", "Personal"]);
    assert_eq!(terms("# Glossary\n\n**dead letter**: A debt.\n"), ["dead letter"]);
}
