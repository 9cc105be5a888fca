//! Fuzz target for the configuration file: every content is either accepted or rejected with a message.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use configuration::{Configuration, Overrides};
use libfuzzer_sys::fuzz_target;
use tempfile::TempDir;

// Only this module is included, because its crate depends on all engines.
#[path = "../../../src/configuration/mod.rs"]
mod configuration;

static FOLDER: LazyLock<TempDir> =
    LazyLock::new(|| tempfile::tempdir().expect("a temporary folder can be created"));

fuzz_target!(|data: &[u8]| {
    let path = FOLDER.path().join("souk.toml");
    fs::write(&path, data).expect("a file can be written");
    match Configuration::load(&Overrides { file: Some(path), ..Overrides::default() }) {
        Ok(configuration) => drop(configuration.describe()),
        Err(error) => assert!(!error.to_string().is_empty()),
    }
});
