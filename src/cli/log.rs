//! `souk log verify | backup | restore | stats`. All but `restore` work beside a running server: they
//! only read.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Subcommand;

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
pub fn run(configuration: &Configuration, command: LogCommand, json: bool) -> anyhow::Result<ExitCode> {
    let folder = configuration.data.as_path();
    match command {
        LogCommand::Verify => verify(folder, json),
        LogCommand::Backup { file } => {
            let bar = output::progress(0, "pages");
            souk_sqlite_log::backup(folder, &file, &mut |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            })?;
            bar.finish_and_clear();
            report(json, "backup", &file)
        }
        LogCommand::Restore { file } => {
            let held = DataFolder::lock(folder)?;
            let bar = output::progress(0, "events");
            souk_sqlite_log::restore(&file, held.path(), &mut |done, all| {
                bar.set_length(all);
                bar.set_position(done);
            })?;
            bar.finish_and_clear();
            report(json, "restored", folder)
        }
        LogCommand::Stats => stats(folder, json),
    }
}

fn report(json: bool, what: &str, path: &std::path::Path) -> anyhow::Result<ExitCode> {
    if json {
        output::json(&serde_json::json!({ what: path }))?;
    } else {
        output::line(format!("{what}: {}", path.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn verify(folder: &std::path::Path, json: bool) -> anyhow::Result<ExitCode> {
    let bar = output::progress(0, "events");
    let report = souk_sqlite_log::verify(folder, &mut |done, all| {
        bar.set_length(all);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    if json {
        output::json(&report)?;
    } else {
        for problem in &report.problems {
            output::line(format!("position {}: {}", problem.position, problem.what));
        }
        let (events, streams, found) = (report.events, report.streams, report.problems_found);
        output::line(format!("{events} events in {streams} streams, {found} problems"));
    }
    Ok(if report.problems_found == 0 { ExitCode::SUCCESS } else { ExitCode::from(1) })
}

fn stats(folder: &std::path::Path, json: bool) -> anyhow::Result<ExitCode> {
    let stats = souk_sqlite_log::stats(folder)?;
    if json {
        output::json(&stats)?;
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
