//! `cargo xtask bench`: measures the speed of the shop and its log, and compares it with baselines of the
//! same run.
//!
//! Figures differ between machines, ratios much less. So a target is a ratio wherever a baseline exists. If a
//! shop can't be started or responds with an error, the row counts as failed; no row is omitted. The scratch
//! folder is in the build folder, so that syncs go to a real disk.

mod append;
mod baseline;
mod cart;
mod checkout;
mod edge;
mod flash_sale;
mod load;
mod month;
mod open_shop;
mod row;
mod sample_event;
mod start;
mod ten_months;
mod upkeep;

use std::path::{Path, PathBuf};

use anyhow::{Result, ensure};
use clap::Args;
use tempfile::TempDir;

use crate::workspace::{self, Profile};
use row::Row;

/// `cargo xtask bench`.
#[derive(Args)]
pub(crate) struct BenchOptions {
    /// Groups of rows to measure; default: all.
    #[arg(value_name = "GROUP")]
    groups: Vec<String>,
    /// Adds rows that take many minutes: five million events, ten months.
    #[arg(long)]
    long: bool,
    /// Program `souk` to test; default: a new build.
    #[arg(long)]
    souk: Option<PathBuf>,
    /// Prints each row as a line of JSON.
    #[arg(long)]
    json: bool,
}

/// Data that the rows share: a scratch folder, the program, and baselines of several rows.
struct Bench {
    scratch: TempDir,
    long: bool,
    souk: Option<PathBuf>,
    log_rates: Option<append::LogRates>,
    month: Option<month::MonthResult>,
}

type Group = (&'static str, fn(&mut Bench) -> Result<Vec<Row>>);

const GROUPS: &[Group] = &[
    ("append", append::rows),
    ("checkout", checkout::rows),
    ("cart", cart::rows),
    ("flash-sale", flash_sale::rows),
    ("month", month::rows),
    ("ten-months", ten_months::rows),
    ("upkeep", upkeep::rows),
    ("start", start::rows),
    ("edge", edge::rows),
];

/// Measures the rows. Returns false if one misses its target.
pub(crate) fn run(options: &BenchOptions) -> Result<bool> {
    for named in &options.groups {
        let known: Vec<_> = GROUPS.iter().map(|(name, _)| *name).collect();
        ensure!(
            known.contains(&named.as_str()),
            "unknown group `{named}`; known groups: {}",
            known.join(", ")
        );
    }
    if cfg!(debug_assertions) {
        return in_release();
    }
    let target = workspace::target_folder()?;
    std::fs::create_dir_all(&target)?;
    let mut bench = Bench {
        scratch: tempfile::Builder::new().prefix("bench-").tempdir_in(target)?,
        long: options.long,
        souk: options.souk.clone(),
        log_rates: None,
        month: None,
    };
    let mut rows = Vec::new();
    for (name, measure) in GROUPS {
        if options.groups.is_empty() || options.groups.iter().any(|named| named == name) {
            eprintln!("{name} …");
            rows.extend(measure(&mut bench).unwrap_or_else(|error| vec![Row::failed(name, &error)]));
        }
    }
    row::print(&rows, options.json)?;
    Ok(rows.iter().all(|row| row.ok))
}

/// Builds this program in release mode and runs it. The rows of the log run in this process, so it must be
/// optimised like a shop.
fn in_release() -> Result<bool> {
    let mut command = workspace::cargo();
    command.current_dir(std::env::current_dir()?);
    command.args(["run", "--release", "--quiet", "--manifest-path"]);
    command.arg(workspace::root().join("xtask/Cargo.toml")).arg("--").args(std::env::args_os().skip(1));
    Ok(command.status()?.success())
}

impl Bench {
    /// Creates an empty folder in the scratch folder; an older folder of this name is deleted.
    fn folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.scratch.path().join(name);
        if folder.exists() {
            std::fs::remove_dir_all(&folder)?;
        }
        std::fs::create_dir_all(&folder)?;
        Ok(folder)
    }

    fn scratch(&self) -> &Path {
        self.scratch.path()
    }

    /// Path of the release build of `souk`.
    fn souk(&mut self) -> Result<PathBuf> {
        if let Some(souk) = &self.souk {
            return Ok(souk.clone());
        }
        let souk = workspace::build_souk(Profile::Release)?;
        self.souk = Some(souk.clone());
        Ok(souk)
    }

    /// Speed of the log alone, measured once per run.
    fn log_rates(&mut self) -> Result<append::LogRates> {
        if let Some(rates) = self.log_rates {
            return Ok(rates);
        }
        let rates = append::measure(self)?;
        self.log_rates = Some(rates);
        Ok(rates)
    }
}

/// Median of some figures; of an even number of figures, the upper one of the two in the middle.
fn median(mut figures: Vec<f64>) -> f64 {
    assert!(!figures.is_empty(), "a median needs at least one figure");
    figures.sort_by(f64::total_cmp);
    figures[figures.len() / 2]
}

/// Converts a count to a figure.
#[allow(clippy::cast_precision_loss, reason = "counts in a bench are far below 2^52")]
fn figure(count: u64) -> f64 {
    count as f64
}

/// Runtime of a client with one thread, because the client shares the CPU cores with the shop.
fn client_runtime() -> Result<tokio::runtime::Runtime> {
    Ok(tokio::runtime::Builder::new_current_thread().enable_all().build()?)
}
