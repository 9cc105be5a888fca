//! Where the invoices for a trial come from: the folder `SOUK_REAL_DATA` names, `../shared/data` beside the
//! checkout, or else a made month of the same shape.
//!
//! A variable that is set and names no folder is an error, never a reason to make data quietly.

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};

use crate::{made_month, workspace};

/// The variable that names the folder with real data.
pub(crate) const VARIABLE: &str = "SOUK_REAL_DATA";
/// The month that `cargo xtask test` trades: the smallest.
pub(crate) const TEST_MONTH: &str = "2011-02.csv.gz";
/// The month that `cargo xtask bench` trades: one with many lines.
pub(crate) const BENCH_MONTH: &str = "2010-12.csv.gz";

/// Invoices to trade, and what they are.
pub(crate) struct Months {
    /// Files, in order of time.
    pub(crate) files: Vec<PathBuf>,
    /// For people: real or made.
    pub(crate) described: String,
}

/// The folder with real data, when there is one.
pub(crate) fn folder() -> Result<Option<PathBuf>> {
    if let Some(named) = std::env::var_os(VARIABLE) {
        let named = PathBuf::from(named);
        ensure!(named.is_dir(), "{VARIABLE} is set, but {} is no folder", named.display());
        return Ok(Some(named));
    }
    let beside = workspace::root().join("../shared/data");
    Ok(beside.is_dir().then_some(beside))
}

/// The month of this name; where there is no real data, a made one is written into `scratch`.
pub(crate) fn one_month(month: &str, scratch: &Path) -> Result<Months> {
    let Some(folder) = folder()? else {
        return made(scratch, 1);
    };
    let file = folder.join("online-retail").join(month);
    ensure!(file.is_file(), "there is real data, but no {}", file.display());
    Ok(Months { files: vec![file], described: format!("real data, {month}") })
}

/// Every month there is; ten made ones where there are none.
pub(crate) fn all_months(scratch: &Path) -> Result<Months> {
    let Some(folder) = folder()? else {
        return made(scratch, 10);
    };
    let mut files: Vec<PathBuf> = std::fs::read_dir(folder.join("online-retail"))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<Result<_, _>>()?;
    files.retain(|file| file.extension().is_some_and(|extension| extension == "gz"));
    files.sort();
    ensure!(!files.is_empty(), "there is real data, but no month in {}", folder.display());
    let described = format!("real data, {} months", files.len());
    Ok(Months { files, described })
}

fn made(scratch: &Path, months: u64) -> Result<Months> {
    let folder = |seed: u64| scratch.join(format!("made-{seed}"));
    let files = (1..=months).map(|seed| made_month::write(&folder(seed), seed)).collect::<Result<_>>()?;
    Ok(Months { files, described: format!("made data ({months} months; no real data here)") })
}
