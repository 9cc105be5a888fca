//! Checks of the release profile: its setting `strip`, and backtraces of a program that is built with it.

use std::process::Command;

use crate::workspace;

/// A program that prints a backtrace from inside a function of its own.
const PROGRAM: &str = "#[inline(never)]
fn sells_a_lamp() -> String { std::backtrace::Backtrace::force_capture().to_string() }
fn main() { println!(\"{}\", sells_a_lamp()); }
";

/// A setting of the release profile, as the root's manifest has it.
fn release_setting(manifest: &str, name: &str) -> Option<String> {
    let section = manifest.split("[profile.release]").nth(1)?;
    let section = section.split("\n[").next()?;
    let value = section.lines().find_map(|line| line.strip_prefix(name)?.trim_start().strip_prefix('='));
    value.map(|value| value.trim().trim_matches('"').to_owned())
}

#[test]
fn backtraces_of_a_stripped_release_name_functions() {
    let manifest = std::fs::read_to_string(workspace::root().join("Cargo.toml")).unwrap();
    let strip = release_setting(&manifest, "strip")
        .expect("the release profile strips debug information: a release had 191 MB");
    let folder = tempfile::tempdir().unwrap();
    let source = folder.path().join("program.rs");
    std::fs::write(&source, PROGRAM).unwrap();
    let program = folder.path().join("program");
    let mut rustc = Command::new(std::env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    rustc.args(["--edition", "2024", "-O", "-C", &format!("strip={strip}"), "-o"]).arg(&program).arg(&source);
    assert!(rustc.status().unwrap().success());
    let printed = Command::new(&program).output().unwrap();
    let printed = String::from_utf8(printed.stdout).unwrap();
    assert!(printed.contains("sells_a_lamp"), "strip = {strip}: {printed}");
}

#[test]
fn a_setting_is_read_from_its_own_section() {
    let manifest =
        "[profile.dev]\nstrip = 1\n[profile.release]\n# text\nstrip = \"debuginfo\"\n[package]\nlto = true\n";
    assert_eq!(release_setting(manifest, "strip").as_deref(), Some("debuginfo"));
    assert_eq!(release_setting(manifest, "lto"), None);
}
