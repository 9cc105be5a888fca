//! The configuration's file: read, or refused with what is allowed.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use configuration::{Configuration, Overrides};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

// Alone: the crate it is of brings every engine along.
#[path = "../../../src/configuration/mod.rs"]
mod configuration;

static FOLDER: LazyLock<TempDir> = LazyLock::new(|| tempfile::tempdir().expect("a folder can be made"));

fuzz_target!(|data: &[u8]| {
    let path = FOLDER.path().join("souk.toml");
    fs::write(&path, data).expect("a file can be written");
    match Configuration::load(&Overrides { file: Some(path), ..Overrides::default() }) {
        Ok(configuration) => drop(configuration.describe()),
        Err(refused) => assert!(!refused.to_string().is_empty()),
    }
});
