//! Invoices for a trial: real data from the folder that `SOUK_REAL_DATA` names or from `../shared/data`
//! beside the checkout, otherwise a generated month of the same shape.
//!
//! If the variable is set but names no folder, this is an error: generated data never replaces it silently.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::{generated_month, workspace};

/// Variable that names the folder with real data.
pub(crate) const VARIABLE: &str = "SOUK_REAL_DATA";
/// Month that `cargo xtask test` uses: the smallest one.
pub(crate) const TEST_MONTH: &str = "2011-02.csv.gz";
/// Month that `cargo xtask bench` uses: one with many lines.
pub(crate) const BENCH_MONTH: &str = "2010-12.csv.gz";

/// Months of invoices for a trial.
pub(crate) struct Months {
    /// One file per month, in order of time.
    pub(crate) files: Vec<PathBuf>,
    /// Description for people: real or generated data.
    pub(crate) described: String,
}

/// Folder with real data; none if there is no such folder.
pub(crate) fn folder() -> Result<Option<PathBuf>> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let named = PathBuf::from(named);
        ensure!(named.is_dir(), "{VARIABLE} is set, but {} is not a folder", named.display());
        return Ok(Some(named));
    }
    let beside = workspace::root().join("../shared/data");
    Ok(beside.is_dir().then_some(beside))
}

/// Returns the month of this name. Without real data, it generates a month in `scratch`.
pub(crate) fn one_month(month: &str, scratch: &Path) -> Result<Months> {
    let Some(folder) = folder()? else {
        return generate(scratch, 1);
    };
    let file = folder.join("online-retail").join(month);
    ensure!(file.is_file(), "the folder of real data has no {}", file.display());
    Ok(Months { files: vec![file], described: format!("real data, {month}") })
}

/// Returns all months of the real data. Without real data, it generates ten months in `scratch`.
pub(crate) fn all_months(scratch: &Path) -> Result<Months> {
    let Some(folder) = folder()? else {
        return generate(scratch, 10);
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("online-retail"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "gz"));
    files.sort();
    ensure!(!files.is_empty(), "the folder of real data has no month in {}", folder.display());
    let described = format!("real data, {} months", files.len());
    Ok(Months { files, described })
}

fn generate(scratch: &Path, months: u64) -> Result<Months> {
    let folder = |seed: u64| scratch.join(format!("made-{seed}"));
    let files =
        (1..=months).map(|seed| generated_month::write(&folder(seed), seed)).collect::<Result<_>>()?;
    Ok(Months { files, described: format!("generated data ({months} months; no real data found)") })
}
