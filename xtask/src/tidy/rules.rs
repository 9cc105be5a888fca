//! Check of `docs/RULES.md`: each rule names tests that prove it, and the page is up to date.

use std::path::Path;

use super::{assert_none, text};
use crate::rules::{self, MARK, PAGE, ProofsByFile, Rules};

#[test]
fn every_rule_has_a_test_and_the_page_is_up_to_date() {
    let (page, findings) = rules::check().expect("the rules and the tests can be read");
    assert_none(&findings);
    let stored = text(Path::new(PAGE)).expect("the page is text");
    assert!(stored == page, "{PAGE} is out of date: run `cargo xtask rules`");
}

/// Returns the proofs in the tests of an example, with the names of these tests, and the findings.
fn proofs(path: &str, source: &str) -> (Vec<(String, String)>, usize) {
    let (proofs, findings) = rules::proofs_in(Path::new(path), source);
    (proofs.into_iter().map(|proof| (proof.rule, proof.test)).collect(), findings.len())
}

#[test]
fn a_comment_names_the_rules_of_the_next_test() {
    let source = format!(
        "{MARK}a.b\n{MARK}c.d\n#[test]\n#[ignore = \"x\"]\nfn one() {{}}\n\n#[test]\nfn two() {{}}\n"
    );
    let expected = |test: &str| [("a.b".to_owned(), test.to_owned()), ("c.d".to_owned(), test.to_owned())];
    for (path, test) in [
        ("domain/src/order/tests.rs", "order::tests::one"),
        ("gateway/tests/memory.rs", "memory::one"),
        ("tests/shop/main.rs", "shop::one"),
        ("infra/x/src/tests/mod.rs", "tests::one"),
    ] {
        assert_eq!(proofs(path, &source), (expected(test).to_vec(), 0));
    }
    let inline = format!("mod tests {{\n    {MARK}a.b\n    #[test]\n    fn one() {{}}\n}}\n");
    assert_eq!(proofs("x/src/lib.rs", &inline), (expected("tests::one")[..1].to_vec(), 0));
    let lost = format!("{MARK}a.b\n\n#[test]\nfn one() {{}}\n{MARK}a.b\nfn two() {{}}\n");
    assert_eq!(proofs("x/src/lib.rs", &lost), (Vec::new(), 2));
}

#[test]
fn unknown_repeated_and_unproven_rules_are_found() {
    let list = "[[context]]\nid = \"a\"\ntitle = \"A\"\nrules = [{ id = \"b\", text = \"B.\" }, \
        { id = \"c\", text = \"C.\", untested = true }]\n[[context]]\nid = \"n\"\ntitle = \"N\"\n";
    let findings = |list: &str, rules: &[&str]| {
        let marked = rules.iter().map(|rule| format!("{MARK}{rule}\n#[test]\nfn one() {{}}\n"));
        let source = marked.collect::<Vec<_>>().concat();
        let path = Path::new("x/src/lib.rs");
        let proofs = ProofsByFile::from([(path.to_owned(), rules::proofs_in(path, &source).0)]);
        Rules::parse(list).unwrap().findings(&proofs).len()
    };
    assert_eq!(findings(list, &["a.b"]), 0);
    for rules in [&[][..], &["a.b", "a.c"], &["a.b", "a.x"]] {
        assert_eq!(findings(list, rules), 1, "{rules:?}");
    }
    assert_eq!(findings(&list.replace("\"c\"", "\"b\"").replace(", untested = true", ""), &["a.b"]), 1);
}
