//! The command line.
//!
//! Exit status: 0 done, 1 refused or failed, 2 wrong usage.

mod admin;
mod config;
mod events;
mod import;
mod keys;
mod log;
mod moment;
mod output;
mod parked;
mod replay;
mod server;
mod token;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

use crate::configuration::{Configuration, Overrides};
use crate::serve::{ServeOptions, serve};

/// The complete backend of an online shop. Without a command: `souk serve`.
#[derive(Debug, Parser)]
#[command(name = "souk", version, about)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Clone, Debug, Args)]
struct Common {
    /// The data folder.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// The configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON lines.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, Default, Args)]
struct ServeArgs {
    /// Where to listen, as in 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Where metrics and the release gate listen, as in 127.0.0.1:9090; else metrics are with the API, and
    /// there is no release gate.
    #[arg(long, value_name = "ADDRESS")]
    internal_listen: Option<SocketAddr>,
    /// What this process does: `all`, or `gateway` in front of others.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Who answers a gateway's writes: a scheme, a host and a port.
    #[arg(long, value_name = "URL")]
    upstream_commands: Option<String>,
    /// Who answers a gateway's reads.
    #[arg(long, value_name = "URL")]
    upstream_queries: Option<String>,
    /// Opens the shop although keys of people are missing: what they entered stays unreadable.
    #[arg(long)]
    without_keys: bool,
    /// Leaves the demo catalogue out.
    #[arg(long)]
    empty: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the shop.
    Serve(ServeArgs),
    /// Prints a token.
    Token(token::TokenArgs),
    /// Makes those who run the shop.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Looks after the keys that tokens are signed with.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Imports a catalogue.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Lists, rebuilds or verifies read models.
    Replay(replay::ReplayArgs),
    /// Lists what read models and processes can't bring further, tries it again, or skips past it.
    #[command(subcommand)]
    Parked(parked::ParkedCommand),
    /// Shows events.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Looks after the log.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Prints the configuration in force, secrets hidden.
    Config,
}

/// Runs the program.
pub fn run() -> ExitCode {
    // The words of a panic may hold what people have entered; where it happened is enough to find it.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // Names of functions and places in the source hold nothing that people have entered.
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!(place, %backtrace, "a bug: something panicked");
        } else {
            tracing::error!(place, "a bug: something panicked");
        }
    }));
    let cli = Cli::parse();
    match start(cli) {
        Ok(code) => code,
        Err(error) => {
            output::warn(format!("souk: {error:#}"));
            ExitCode::from(1)
        }
    }
}

fn start(cli: Cli) -> anyhow::Result<ExitCode> {
    let mut overrides = Overrides { data: cli.common.data, file: cli.common.config, ..Overrides::default() };
    let command = cli.command.unwrap_or(Command::Serve(ServeArgs::default()));
    if let Command::Serve(serve) = &command {
        overrides.listen = serve.listen;
        overrides.internal_listen = serve.internal_listen;
        overrides.without_keys = serve.without_keys;
        overrides.role.clone_from(&serve.role);
        overrides.upstream_commands.clone_from(&serve.upstream_commands);
        overrides.upstream_queries.clone_from(&serve.upstream_queries);
    }
    let configuration = Configuration::load(&overrides)?;
    init_logging(&configuration)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
    let json = cli.common.json;
    match command {
        Command::Serve(ServeArgs { empty, .. }) => {
            let served = runtime.block_on(serve(&configuration, ServeOptions { empty, json }));
            // What is left was told to end, and was given its time.
            runtime.shutdown_background();
            served.map(|()| ExitCode::SUCCESS)
        }
        Command::Token(args) => token::run(&configuration, &args, json),
        Command::Admin(command) => runtime.block_on(admin::run(&configuration, command, json)),
        Command::Keys(command) => keys::run(&configuration, &command, json),
        Command::Import(command) => runtime.block_on(import::run(&configuration, command, json)),
        Command::Replay(args) => runtime.block_on(replay::run(&configuration, args, json)),
        Command::Parked(command) => runtime.block_on(parked::run(&configuration, command, json)),
        Command::Events(command) => runtime.block_on(events::run(&configuration, command, json)),
        Command::Log(command) => log::run(&configuration, command, json),
        Command::Config => config::run(&configuration, json),
    }
}

/// Log lines go to standard error: standard output is for what was asked.
fn init_logging(configuration: &Configuration) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&configuration.log)
        .map_err(|error| anyhow::anyhow!("SOUK_LOG = `{}` is not allowed: {error}", configuration.log))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(|| output::LogLines)
        // Standard error that can't be written to can't be told of it either.
        .log_internal_errors(false);
    if configuration.log_json {
        lines.json().init();
    } else {
        lines.init();
    }
    Ok(())
}
