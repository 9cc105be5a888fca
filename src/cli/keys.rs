//! `souk keys`: the keys that tokens are signed with.

use std::process::ExitCode;

use anyhow::ensure;
use clap::{Args, Subcommand};
use souk_eventsourcing::Clock as _;
use souk_web::keys::KEYS_FOLDER;
use souk_web::token_keys::{TokenKeys, rotate};

use crate::clock::SystemClock;
use crate::configuration::Configuration;

use super::output;

#[derive(Debug, Subcommand)]
pub enum KeysCommand {
    /// Lists the keys.
    List,
    /// Makes another key: it signs in a minute, and tokens of the one before are taken for another week. A
    /// running shop notices within seconds.
    Rotate(RotateArgs),
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
        output::line(format!("{}  made {}  {signs} {until}", key.kid, key.made_at));
    }
    Ok(ExitCode::SUCCESS)
}
