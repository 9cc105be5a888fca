//! `souk keys`: the keys that sign tokens, and the master key that encrypts the keys of people.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand};
use souk_configuration::Configuration;
use souk_eventsourcing::Clock as _;
use souk_http::keys::KEYS_FOLDER;
use souk_http::token_keys::{TokenKeys, rotate};
use souk_sqlite_person_keys::{MasterKey, Merged};

use crate::clock::SystemClock;
use crate::data_folder::DataFolder;
use crate::master_key;

use super::output;

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Lists the keys that sign tokens.
    List,
    /// Creates a new signing key. It signs new tokens after one minute; tokens of the previous key stay valid
    /// for one week. A running shop uses the new key within seconds, without a restart.
    Rotate(RotateArgs),
    /// Encrypts the keys of people with a new master key. Stop the shop first.
    Rewrap(RewrapArgs),
    /// Copies the keys of people into a new file. The shop may be running. The copy is encrypted with the
    /// current master key: back that up too, in another place.
    Backup(BackupArgs),
    /// Adds missing keys of people from another file, for example if the file was found after the shop had
    /// started without it. Stop the shop first.
    Merge(MergeArgs),
}

#[derive(Debug, Args)]
pub struct RewrapArgs {
    /// File with the new master key: 64 hexadecimal digits. Without it, a new key is created in place of the
    /// old key file, and the old file is kept under another name.
    #[arg(long, value_name = "FILE")]
    to: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub struct BackupArgs {
    /// Path of the copy. The file must not exist yet.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub struct MergeArgs {
    /// Path of the other file of keys, encrypted with the same master key. The file is not changed.
    file: PathBuf,
}

#[derive(Debug, Args)]
pub struct RotateArgs {
    /// Makes all existing tokens invalid at once, including those of machines. Use this if a signing key was
    /// stolen.
    #[arg(long)]
    now: bool,
}

/// Runs one of the `souk keys` commands.
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
    let folder = configuration.data.join(KEYS_FOLDER);
    let now = SystemClock.now();
    if let KeysCommand::Rotate(args) = command {
        rotate(&folder, now, args.now)?;
    }
    for key in TokenKeys::open(&folder)?.statuses(now) {
        if json {
            output::json(&key)?;
            continue;
        }
        let signs = if key.signs { "signs" } else { "" };
        let until = key.taken_until.map_or(String::new(), |until| format!("accepted until {until}"));
        let created = key.made_at.map_or_else(|| "at an unknown time".to_owned(), |at| at.to_string());
        output::line(format!("{}  created {created}  {signs} {until}", key.kid));
    }
    Ok(ExitCode::SUCCESS)
}

fn rewrap(configuration: &Configuration, args: &RewrapArgs, json: bool) -> anyhow::Result<ExitCode> {
    let held = DataFolder::lock(&configuration.data).context("stop the shop first")?;
    let old = master_key::of(configuration)?;
    let file = master_key::path(configuration);
    let new = match (&args.to, &file) {
        (Some(new_file), _) => {
            let text = std::fs::read_to_string(new_file).with_context(|| new_file.display().to_string())?;
            MasterKey::parse(&text).with_context(|| new_file.display().to_string())?
        }
        (None, Some(file)) => master_key::make_next(file)?,
        (None, None) => {
            bail!("the master key is in SOUK_MASTER_KEY: name the file of the new master key with --to")
        }
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
    output::line(format!("{count} keys of people are now encrypted with the master key {}", new.id()));
    match (&args.to, &file) {
        (None, Some(file)) => {
            let old_file = file.with_extension(old.id());
            output::line(format!(
                "{} is the old master key, for older backups: delete it when you have none",
                old_file.display()
            ));
        }
        _ => output::line("set the new master key in the configuration before you start the shop".to_owned()),
    }
    Ok(ExitCode::SUCCESS)
}

fn back_up(configuration: &Configuration, args: &BackupArgs, json: bool) -> anyhow::Result<ExitCode> {
    souk_sqlite_person_keys::back_up(&configuration.data, &args.file)?;
    if json {
        output::json(&serde_json::json!({ "file": args.file }))?;
    } else {
        output::line(format!("the keys of people were copied to {}", args.file.display()));
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
    output::line(format!("{} keys and {} erasures of people were added", merged.keys, merged.erasures));
    if merged.others > 0 {
        output::line(format!(
            "{} people already have a different key: the data they entered under the old key stays unreadable",
            merged.others
        ));
    }
    Ok(ExitCode::SUCCESS)
}
