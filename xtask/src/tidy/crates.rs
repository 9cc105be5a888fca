//! Checks of crates and of the folders of aggregates and processes: the same files and lints everywhere.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;

use super::{assert_none, text, tracked_files};
use crate::workspace;

/// Files of every aggregate's folder; a folder may have more.
const AGGREGATE: [&str; 9] = [
    "command.rs",
    "decide.rs",
    "event.rs",
    "evolve.rs",
    "mod.rs",
    "properties.rs",
    "rejection.rs",
    "state.rs",
    "tests.rs",
];
/// Files of every process's folder.
const PROCESS: [&str; 9] = [
    "decide.rs",
    "evolve.rs",
    "fill_in.rs",
    "input.rs",
    "mod.rs",
    "moves.rs",
    "state.rs",
    "step.rs",
    "tests.rs",
];

/// Folders of the crate of processes that hold no process.
const NO_PROCESSES: [&str; 2] = ["erasure", "sweeps"];

/// Folders of a crate's sources that lack a file of their kind. The folders `others` are of another kind; one
/// that does not exist is a finding too.
fn incomplete(crate_folder: &str, wanted: &[&str], others: &[&str]) -> Vec<String> {
    let mut findings = Vec::new();
    for other in others {
        if !workspace::root().join(crate_folder).join(other).is_dir() {
            findings.push(format!("{crate_folder}: without the folder {other}"));
        }
    }
    for entry in fs::read_dir(workspace::root().join(crate_folder)).expect("the crate is there") {
        let folder = entry.expect("a folder can be listed").path();
        if !folder.is_dir() || others.iter().any(|other| folder.ends_with(other)) {
            continue;
        }
        let names = fs::read_dir(&folder).expect("a folder can be listed");
        let files: BTreeSet<String> =
            names.filter_map(|file| file.ok()?.file_name().into_string().ok()).collect();
        let missing: Vec<&str> = wanted.iter().copied().filter(|name| !files.contains(*name)).collect();
        if !missing.is_empty() {
            findings.push(format!("{}: without {}", folder.display(), missing.join(", ")));
        }
    }
    findings
}

#[test]
fn every_aggregate_and_process_has_the_files_of_its_kind() {
    assert_none(&incomplete("domain/src", &AGGREGATE, &[]));
    assert_none(&incomplete("process-managers/src", &PROCESS, &NO_PROCESSES));
}

/// Returns the names of the folders in a folder.
fn folders(path: &str) -> Vec<String> {
    let entries = fs::read_dir(workspace::root().join(path)).expect("the crate is there");
    let folders = entries.filter_map(|entry| {
        let entry = entry.ok()?;
        entry.path().is_dir().then(|| entry.file_name().to_string_lossy().into_owned())
    });
    folders.collect()
}

/// Folders of `domain/src` whose aggregate the list of aggregates lacks.
fn unlisted(list: &str) -> Vec<String> {
    let aggregates = folders("domain/src").into_iter();
    aggregates.filter(|folder| !list.contains(&format!("$crate::{folder}::"))).collect()
}

#[test]
fn every_aggregate_is_in_the_list_of_aggregates() {
    let list = text(Path::new("domain/src/aggregates.rs")).expect("the list is text");
    assert_none(&unlisted(&list));
    assert!(unlisted(&list.replace("$crate::cart::", "")).contains(&"cart".to_owned()));
}

/// Files that list all processes: the start of the shop, `souk replay --ahead`, and the simulation.
const PROCESS_LISTS: [&str; 3] =
    ["src/embedded/begin.rs", "src/cli/replay/ahead.rs", "testing/simulation/src/process.rs"];

/// Folders of `process-managers/src` whose process a list lacks.
fn unlisted_processes(list: &str) -> Vec<String> {
    let folders = folders("process-managers/src").into_iter();
    let processes = folders.filter(|folder| !NO_PROCESSES.contains(&folder.as_str()));
    processes.filter(|folder| !list.contains(&format!("souk_process_managers::{folder}::"))).collect()
}

#[test]
fn every_process_is_in_the_lists_of_processes() {
    for path in PROCESS_LISTS {
        let list = text(Path::new(path)).expect("the list is text");
        assert_none(&unlisted_processes(&list));
    }
    assert_eq!(unlisted_processes("").len(), 3);
}

#[test]
fn a_folder_that_lacks_a_file_is_found() {
    let found = incomplete("process-managers/src", &["decide.rs", "nowhere.rs"], &NO_PROCESSES);
    assert_eq!(found.len(), 3);
    assert!(found[0].ends_with("without nowhere.rs"), "{found:?}");
    let found = incomplete("process-managers/src", &PROCESS, &["erasure", "nowhere"]);
    assert_eq!(found.len(), 2, "a missing folder and `sweeps`: {found:?}");
}

/// The lines of a table of a TOML file.
fn table<'a>(toml: &'a str, name: &str) -> Vec<&'a str> {
    let behind = toml.lines().map(str::trim).skip_while(|line| *line != name).skip(1);
    behind.take_while(|line| !line.starts_with('[')).filter(|line| !line.is_empty()).collect()
}

/// The two crates that may be unsafe, one for tests alone (ADR 12), one for a single call (ADR 20), and the one
/// of another workspace.
const OF_OWN_LINTS: [&str; 3] =
    ["testing/fuzz/Cargo.toml", "testing/lossy-disk/Cargo.toml", "support/priority/Cargo.toml"];

#[test]
fn every_crate_takes_the_lints_of_the_workspace() {
    let manifests: Vec<_> = tracked_files().into_iter().filter(|path| path.ends_with("Cargo.toml")).collect();
    let findings: Vec<String> = manifests
        .iter()
        .filter(|path| !OF_OWN_LINTS.iter().any(|own| path.as_path() == Path::new(own)))
        .filter(|path| !table(&text(path).unwrap_or_default(), "[lints]").contains(&"workspace = true"))
        .map(|path| format!("{}: without [lints] workspace = true", path.display()))
        .collect();
    assert_none(&findings);
    assert!(manifests.iter().any(|path| path == Path::new("xtask/Cargo.toml")));
}

#[test]
fn a_manifest_without_lints_is_found() {
    assert_eq!(table("[a]\nx = 1\n\n[lints]\nworkspace = true\n[b]\n", "[lints]"), ["workspace = true"]);
    assert!(table("[dependencies]\nworkspace = true\n", "[lints]").is_empty());
}
