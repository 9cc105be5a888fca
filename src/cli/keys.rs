//! `souk keys`: the keys that tokens are signed with, and the master key that keys of people are kept under.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use souk_eventsourcing::Clock as _;
use souk_http::keys::KEYS_FOLDER;
use souk_http::token_keys::{TokenKeys, rotate};
use souk_sqlite_person_keys::{MasterKey, Merged};

use crate::clock::SystemClock;
use crate::configuration::Configuration;
use crate::data_folder::DataFolder;
use crate::master_key;

use super::output;

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Lists the keys.
    List,
    /// Makes another key: it signs in a minute, and tokens of the one before are taken for another week. A
    /// running shop notices within seconds.
    Rotate(RotateArgs),
    /// Wraps the keys of people by another master key; the shop is stopped for it.
    Rewrap(RewrapArgs),
    /// Copies the keys of people into a new file, also beside a running shop. They are wrapped by the master
    /// key of now: keep that too, elsewhere.
    Backup(BackupArgs),
    /// Takes the keys of people from another file that this shop lacks, as after it went on without its keys and the
    /// right file turned up later; the shop is stopped for it.
    Merge(MergeArgs),
}

#[derive(Debug, Args)]
pub struct RewrapArgs {
    /// The file with the new master key: 64 hexadecimal digits. Else one is made, and takes the place of the
    /// file of the old one, which is kept beside it.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// The file, which must not be there yet.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// The file, wrapped by the same master key. It is only read.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Refuses all tokens of before at once, those of machines too: for a key that was given away.
    #[arg(long)]
    now: bool,
}

/// Runs the command.
pub fn run(configuration: &Configuration, command: &KeysCommand, json: bool) -> anyhow::Result<ExitCode> {
    ensure!(
        configuration.data.is_dir(),
        "there is no shop in {}: start it first (`souk serve`), or name its folder with --data",
        configuration.data.display()
    );
    match command {
        KeysCommand::Rewrap(args) => return rewrap(configuration, args, json),
        KeysCommand::Backup(args) => return back_up(configuration, args, json),
        KeysCommand::Merge(args) => return merge(configuration, args, json),
        KeysCommand::List | KeysCommand::Rotate(_) => {}
    }
    let (folder, now) = (configuration.data.join(KEYS_FOLDER), SystemClock.now());
    if let KeysCommand::Rotate(args) = command {
        rotate(&folder, now, args.now)?;
    }
    for key in TokenKeys::open(&folder)?.statuses(now) {
        if json {
            output::json(&key)?;
            continue;
        }
        let signs = if key.signs { "signs" } else { "" };
        let until = key.taken_until.map_or(String::new(), |until| format!("taken until {until}"));
        let made = key.made_at.map_or_else(|| "some time ago".to_owned(), |at| at.to_string());
        output::line(format!("{}  made {made}  {signs} {until}", key.kid));
    }
    Ok(ExitCode::SUCCESS)
}

fn rewrap(configuration: &Configuration, args: &RewrapArgs, json: bool) -> anyhow::Result<ExitCode> {
    let held = DataFolder::lock(&configuration.data).context("stop the shop first")?;
    let old = master_key::of(configuration)?;
    let file = master_key::path(configuration);
    let new = match (&args.to, &file) {
        (Some(given), _) => {
            let text = std::fs::read_to_string(given).with_context(|| given.display().to_string())?;
            MasterKey::parse(&text).with_context(|| given.display().to_string())?
        }
        (None, Some(file)) => master_key::make_next(file)?,
        (None, None) => bail!("SOUK_MASTER_KEY holds the master key: name the file of the new one with --to"),
    };
    let bar = output::progress(0, "keys");
    let count = souk_sqlite_person_keys::rewrap(held.path(), &old, &new, |done, total| {
        bar.set_length(total);
        bar.set_position(done);
    })?;
    bar.finish_and_clear();
    if let (None, Some(file)) = (&args.to, &file) {
        master_key::finish(file, held.path())?;
    }
    if json {
        output::json(&serde_json::json!({ "rewrapped": count, "from": old.id(), "to": new.id() }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!("{count} keys of people are wrapped by the master key {} now", new.id()));
    match (&args.to, &file) {
        (None, Some(file)) => {
            let kept = file.with_extension(old.id());
            output::line(format!(
                "{} opens backups of before: delete it when there are none",
                kept.display()
            ));
        }
        _ => output::line("let the configuration name it before the shop is started".to_owned()),
    }
    Ok(ExitCode::SUCCESS)
}

fn back_up(configuration: &Configuration, args: &BackupArgs, json: bool) -> anyhow::Result<ExitCode> {
    souk_sqlite_person_keys::back_up(&configuration.data, &args.file)?;
    if json {
        output::json(&serde_json::json!({ "file": args.file }))?;
    } else {
        output::line(format!("the keys of people are in {} too", args.file.display()));
    }
    Ok(ExitCode::SUCCESS)
}

fn merge(configuration: &Configuration, args: &MergeArgs, json: bool) -> anyhow::Result<ExitCode> {
    let held = DataFolder::lock(&configuration.data).context("stop the shop first")?;
    let master = master_key::of(configuration)?;
    let merged = souk_sqlite_person_keys::merge(held.path(), &master, &args.file)?;
    if json {
        let Merged { keys, erasures, others } = merged;
        output::json(&serde_json::json!({ "keys": keys, "erasures": erasures, "others": others }))?;
        return Ok(ExitCode::SUCCESS);
    }
    output::line(format!("{} keys and {} erasures of people are taken over", merged.keys, merged.erasures));
    if merged.others > 0 {
        output::line(format!(
            "{} people have another key by now: what they entered before stays unreadable",
            merged.others
        ));
    }
    Ok(ExitCode::SUCCESS)
}
