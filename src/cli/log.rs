//! `souk log verify | backup | restore | stats`. All but `restore` work beside a running server: they
//! only read.

use std::fs;
use std::io::ErrorKind;
use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use clap::Subcommand;
use serde_json::json;
use souk_sqlite_log::Problem;
use souk_sqlite_read_models::READ_MODELS_FILE;

use crate::configuration::Configuration;
use crate::data_folder::DataFolder;

use super::output;

#[derive(Debug, Subcommand)]
pub enum LogCommand {
    /// Reads every event and checks it; exit status 1 when something is wrong.
    Verify,
    /// Copies the log into a file.
    Backup {
        /// The file; it must not be there yet.
        file: PathBuf,
    },
    /// Puts a backup into a data folder that has no log.
    Restore {
        /// The backup.
        file: PathBuf,
    },
    /// Counts events, streams and bytes.
    Stats,
}

/// Runs a command.
pub fn run(configuration: &Configuration, command: LogCommand, as_json: bool) -> anyhow::Result<ExitCode> {
    let folder = configuration.data.as_path();
    match command {
        LogCommand::Verify => verify(folder, as_json),
        LogCommand::Backup { file } => {
            let bar = output::progress(0, "pages");
            souk_sqlite_log::backup(folder, &file, &mut |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            })?;
            bar.finish_and_clear();
            report(as_json, "backup", &file)
        }
        LogCommand::Restore { file } => {
            let held = DataFolder::lock(folder)?;
            let bar = output::progress(0, "events");
            souk_sqlite_log::restore(&file, held.path(), &mut |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            })?;
            bar.finish_and_clear();
            // They were made from what is gone; the next start makes them from what is there.
            for suffix in ["", "-wal", "-shm"] {
                let path = folder.join(format!("{READ_MODELS_FILE}{suffix}"));
                match fs::remove_file(&path) {
                    Err(error) if error.kind() != ErrorKind::NotFound => {
                        return Err(error).with_context(|| format!("{} can't be removed", path.display()));
                    }
                    _ => {}
                }
            }
            report(as_json, "restored", folder)
        }
        LogCommand::Stats => stats(folder, as_json),
    }
}

fn report(as_json: bool, what: &str, path: &std::path::Path) -> anyhow::Result<ExitCode> {
    if as_json {
        output::json(&json!({ what: path }))?;
    } else {
        output::line(format!("{what}: {}", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(folder: &std::path::Path, as_json: bool) -> anyhow::Result<ExitCode> {
    let bar = output::progress(0, "events");
    let report = souk_sqlite_log::verify(folder, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
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
        let (events, streams, found) = (report.events, report.streams, report.problems_found);
        output::line(format!("{events} events in {streams} streams, {found} problems"));
    }
    Ok(if report.problems_found == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn stats(folder: &std::path::Path, as_json: bool) -> anyhow::Result<ExitCode> {
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
