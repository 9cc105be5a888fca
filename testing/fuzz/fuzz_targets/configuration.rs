//! Fuzz target for the configuration file: every content is either accepted or rejected with a message.
#![no_main]

use std::fs;
use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;
use souk_configuration::{Configuration, Overrides};
use tempfile::TempDir;

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
