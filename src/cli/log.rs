//! `souk log verify | backup | restore | stats`. All except `restore` only read the log, so they work while a
//! server is running.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::{Context as _, ensure};
use clap::Subcommand;
use indicatif::ProgressBar;
use serde_json::json;
use souk_configuration::Configuration;
use souk_sqlite_log::{BackedUp, Problem};
use souk_sqlite_read_models::READ_MODELS_FILE;

use crate::data_folder::{DataFolder, LOCK_FILE, require_shop};

use super::output;

#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Reads and checks every event. The exit status is 1 if a problem was found.
    Verify {
        /// Checks a backup instead of the log.
        #[arg(long, value_name = "FOLDER")]
        backup: Option<PathBuf>,
    },
    /// Copies the events since the last backup. The shop may be running.
    Backup {
        /// Folder of the backup. It is created if it does not exist.
        folder: PathBuf,
    },
    /// Restores a backup into a data folder that has no log.
    Restore {
        /// Folder of the backup.
        folder: PathBuf,
    },
    /// Counts events, streams and bytes.
    Stats,
}

/// Runs one of the `souk log` commands.
pub fn run(configuration: &Configuration, command: LogCommand, as_json: bool) -> anyhow::Result<ExitCode> {
    let data = configuration.data.as_path();
    match command {
        LogCommand::Verify { backup: None } => {
            require_shop(data)?;
            verify(data, as_json)
        }
        LogCommand::Verify { backup: Some(folder) } => check(&folder, as_json),
        LogCommand::Backup { folder } => backup(data, &folder, as_json),
        LogCommand::Restore { folder } => restore(data, &folder, as_json),
        LogCommand::Stats => {
            require_shop(data)?;
            stats(data, as_json)
        }
    }
}

/// Creates a progress bar, and a function that sets its position and total.
fn bar(unit: &str) -> (ProgressBar, impl FnMut(u64, u64)) {
    let bar = output::progress(0, unit);
    let drawn = bar.clone();
    let draw = move |done, all| {
        drawn.set_length(all);
        drawn.set_position(done);
    };
    (bar, draw)
}

fn backup(data: &Path, folder: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    require_shop(data)?;
    let is_inside = real(folder)?.starts_with(real(data)?);
    ensure!(
        !is_inside,
        "{} is inside the data folder, so one fault could destroy both: choose a folder elsewhere, best on \
        another disk",
        folder.display()
    );
    let (bar, mut draw) = bar("events");
    let done = souk_sqlite_log::backup(data, folder, &mut draw)?;
    bar.finish_and_clear();
    let BackedUp { segments, events, last } = done;
    if as_json {
        let last = last.to_string();
        output::json(&json!({ "backup": folder, "segments": segments, "events": events, "position": last }))?;
    } else {
        let path = folder.display();
        output::line(format!("{path}: {events} events in {segments} new segments, up to position {last}"));
    }
    Ok(ExitCode::SUCCESS)
}

/// Resolves the links of a path. The last parts of the path need not exist.
fn real(path: &Path) -> std::io::Result<PathBuf> {
    let path = std::path::absolute(path)?;
    let existing = path.ancestors().find_map(|parent| Some((parent, parent.canonicalize().ok()?)));
    Ok(match existing {
        Some((parent, real)) => real.join(path.strip_prefix(parent).unwrap_or(&path)),
        None => path,
    })
}

fn check(folder: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let (bar, mut draw) = bar("bytes");
    let manifest = souk_sqlite_log::check(folder, &mut draw)?;
    bar.finish_and_clear();
    let segments = manifest.segments.len();
    let last = manifest.last();
    if as_json {
        output::json(&json!({ "segments": segments, "position": last.to_string() }))?;
    } else {
        output::line(format!("{segments} segments up to position {last}: all intact"));
    }
    Ok(ExitCode::SUCCESS)
}

fn restore(data: &Path, folder: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let existed = data.exists();
    let held = DataFolder::lock(data)?;
    let (bar, mut draw) = bar("events");
    let restored = souk_sqlite_log::restore(folder, held.path(), &mut draw);
    bar.finish_and_clear();
    let manifest = match restored {
        Ok(manifest) => manifest,
        Err(error) => {
            if !existed {
                // The new folder contains only the lock file. A folder that can't be removed does no harm.
                let _ = fs::remove_file(data.join(LOCK_FILE)).and_then(|()| fs::remove_dir(data));
            }
            return Err(error.into());
        }
    };
    // These read models belong to the old log. The next start rebuilds them from the restored log.
    for suffix in ["", "-wal", "-shm"] {
        let path = data.join(format!("{READ_MODELS_FILE}{suffix}"));
        match fs::remove_file(&path) {
            Err(error) if error.kind() != ErrorKind::NotFound => {
                return Err(error).with_context(|| format!("{} can't be removed", path.display()));
            }
            _ => {}
        }
    }
    let last = manifest.last();
    if as_json {
        output::json(&json!({ "restored": data, "position": last.to_string() }))?;
    } else {
        output::line(format!("{}: restored up to position {last}", data.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(folder: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let (bar, mut draw) = bar("events");
    let report = souk_sqlite_log::verify(folder, &mut draw)?;
    bar.finish_and_clear();
    if as_json {
        let problem =
            |problem: &Problem| json!({ "position": problem.position.to_string(), "what": problem.what });
        let problems: Vec<_> = report.problems.iter().map(problem).collect();
        output::json(&json!({
            "events": report.events, "streams": report.streams, "problemsFound": report.problems_found,
            "problems": problems,
        }))?;
    } else {
        for problem in &report.problems {
            output::line(format!("position {}: {}", problem.position, problem.what));
        }
        output::line(format!(
            "{} events in {} streams, {} problems",
            report.events, report.streams, report.problems_found
        ));
    }
    Ok(if report.problems_found == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn stats(folder: &Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let stats = souk_sqlite_log::stats(folder)?;
    if as_json {
        output::json(&json!({
            "logId": stats.log_id, "events": stats.events, "streams": stats.streams,
            "payloadBytes": stats.payload_bytes, "fileBytes": stats.file_bytes, "head": stats.head.to_string(),
            "firstAt": stats.first_at, "lastAt": stats.last_at,
        }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!("events         {}", stats.events));
    output::line(format!("streams        {}", stats.streams));
    output::line(format!("payload bytes  {}", stats.payload_bytes));
    output::line(format!("file bytes     {}", stats.file_bytes));
    output::line(format!("head           {}", stats.head));
    let time = |at: Option<jiff::Timestamp>| at.map_or("-".to_owned(), |at| at.to_string());
    output::line(format!("first event    {}", time(stats.first_at)));
    output::line(format!("last event     {}", time(stats.last_at)));
    Ok(ExitCode::SUCCESS)
}
