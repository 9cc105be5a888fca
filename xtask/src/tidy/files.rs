//! Checks of every file: forbidden words, paths and hosts, and lengths.

use std::path::{Path, PathBuf};

use super::{assert_none, text, tracked_files};
use crate::workspace;

/// Lines of a source file, at most.
const LINES_MAX: usize = 500;
/// Lines from which on the check names a source file.
const LINES_SELDOM: usize = 300;
/// Extensions of source files.
const SOURCES: [&str; 4] = ["rs", "sql", "sh", "toml"];

/// Words that mark unfinished work. They are concatenated so that this file does not contain them.
const LEFT_UNDONE: [&str; 3] = [concat!("TO", "DO"), concat!("FIX", "ME"), concat!("to", "do!")];

/// Folders that exist on one machine only.
const MACHINE_FOLDERS: [&str; 4] =
    [concat!("/ho", "me/"), concat!("/ro", "ot/"), concat!("/Us", "ers/"), concat!("/wo", "rk/")];

fn is_source(path: &Path) -> bool {
    let extension = path.extension().and_then(|extension| extension.to_str()).unwrap_or_default();
    SOURCES.contains(&extension)
}

/// The first line that contains `word` as a whole word: without a letter, digit or underscore before it and, if it
/// ends in a letter or digit, without one behind it.
fn line_with(text: &str, word: &str) -> Option<usize> {
    let is_part = |c: char| c.is_alphanumeric() || c == '_';
    text.lines().position(|line| {
        line.match_indices(word).any(|(at, _)| {
            let before = line[..at].chars().next_back();
            let behind = line[at + word.len()..].chars().next();
            let ends_in_word = word.ends_with(|c: char| c.is_alphanumeric());
            !(before.is_some_and(is_part) || ends_in_word && behind.is_some_and(is_part))
        })
    })
}

/// The places of these words in the checked files.
fn findings(words: &[String], is_checked: impl Fn(&Path) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for path in tracked_files().into_iter().filter(|path| is_checked(path)) {
        let Some(text) = text(&path) else { continue };
        for word in words {
            if let Some(line) = line_with(&text, word) {
                found.push(format!("{}:{}: holds `{word}`", path.display(), line + 1));
            }
        }
    }
    found
}

#[test]
fn no_source_file_is_too_long() {
    let mut too_long = Vec::new();
    for path in tracked_files().into_iter().filter(|path| is_source(path)) {
        let lines = text(&path).unwrap_or_default().lines().count();
        if lines > LINES_MAX {
            too_long.push(format!("{}: {lines} lines, at most {LINES_MAX}", path.display()));
        } else if lines > LINES_SELDOM {
            println!("{}: {lines} lines, seldom over {LINES_SELDOM}", path.display());
        }
    }
    assert_none(&too_long);
}

#[test]
fn nothing_is_left_undone() {
    assert_none(&findings(&LEFT_UNDONE.map(str::to_owned), |path| !path.ends_with("Cargo.lock")));
}

#[test]
fn only_whole_words_are_found() {
    let word = LEFT_UNDONE[0];
    for (text, expected) in [
        (format!("a\n// {word}: b"), Some(1)),
        (format!("({word})"), Some(0)),
        (format!("MAS{word}N"), None),
        (format!("{word}S"), None),
        (format!("{}(\"x\")", LEFT_UNDONE[2]), Some(0)),
        (format!("mas{}", LEFT_UNDONE[2]), None),
    ] {
        assert_eq!(
            line_with(&text, if text.contains(word) { word } else { LEFT_UNDONE[2] }),
            expected,
            "{text}"
        );
    }
}

#[test]
fn no_file_names_a_path_of_a_machine() {
    let mut words = MACHINE_FOLDERS.map(str::to_owned).to_vec();
    words.push(workspace::root().display().to_string());
    assert_none(&findings(&words, |_| true));
}

#[test]
fn every_dependency_comes_from_the_public_registry_and_no_file_names_another() {
    let lock = text(Path::new("Cargo.lock")).expect("Cargo.lock is text");
    let public = "source = \"registry+https://github.com/rust-lang/crates.io-index\"";
    let others: Vec<String> = lock
        .lines()
        .filter(|line| line.starts_with("source = ") && *line != public)
        .map(|line| format!("Cargo.lock: {line}"))
        .collect();
    assert_none(&others);
    assert_none(&findings(&hosts_of_cargo_configuration(), |_| true));
}

/// Hosts in the cargo configuration of this machine: mirrors that nobody else can reach.
fn hosts_of_cargo_configuration() -> Vec<String> {
    let home = std::env::var_os("CARGO_HOME")
        .map(PathBuf::from)
        .or_else(|| std::env::home_dir().map(|home| home.join(".cargo")));
    let Some(home) = home else { return Vec::new() };
    let texts =
        ["config.toml", "config"].iter().filter_map(|name| std::fs::read_to_string(home.join(name)).ok());
    texts.flat_map(|text| hosts(&text)).collect()
}

fn hosts(configuration: &str) -> Vec<String> {
    let behind_schemes = configuration.split("://").skip(1);
    let ends = |c: char| matches!(c, '/' | '"' | '\'' | ':' | '?') || c.is_whitespace();
    behind_schemes
        .filter_map(|rest| rest.split(ends).next())
        .map(|host| host.rsplit('@').next().unwrap_or(host).to_owned())
        .filter(|host| !host.is_empty() && !host.ends_with("crates.io") && host != "github.com")
        .collect()
}

#[test]
fn hosts_are_read_from_a_configuration() {
    let text = "registry = \"sparse+https://user@mirror.example.org/index/\"\n[x]\nurl = 'http://crates.io/'";
    assert_eq!(hosts(text), ["mirror.example.org"]);
}

#[test]
fn no_toolchain_file_forces_a_download() {
    let found: Vec<String> = tracked_files()
        .iter()
        .filter(|path| {
            path.file_name().is_some_and(|name| name.to_string_lossy().starts_with("rust-toolchain"))
        })
        .map(|path| path.display().to_string())
        .collect();
    assert_none(&found);
}
