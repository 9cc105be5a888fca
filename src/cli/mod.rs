//! Command line of Souk.
//!
//! Exit status: 0 for success, 1 if the command was refused or failed, 2 for wrong usage.

mod admin;
mod config;
mod events;
mod import;
mod keys;
mod log;
mod output;
mod parked;
mod position_argument;
mod replay;
mod server;
mod token;

use std::backtrace::{Backtrace, BacktraceStatus};
use std::io::IsTerminal;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use souk_configuration::{Configuration, Overrides};

use crate::serve::{ServeOptions, serve};

/// Complete backend of an online shop. Without a command, the program runs `souk serve`.
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
    /// Data folder of the shop.
    #[arg(long, global = true, value_name = "DIR")]
    data: Option<PathBuf>,
    /// Configuration file (TOML).
    #[arg(long, global = true, value_name = "FILE")]
    config: Option<PathBuf>,
    /// Prints JSON lines instead of text.
    #[arg(long, global = true)]
    json: bool,
}

#[derive(Clone, Debug, Default, Args)]
struct ServeArgs {
    /// Address and port to listen on, for example 127.0.0.1:8080.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Address and port for metrics and the release gate, for example 127.0.0.1:9090. Without it, the API
    /// address serves the metrics, and the release gate is off.
    #[arg(long, value_name = "ADDRESS")]
    internal_listen: Option<SocketAddr>,
    /// Role of this process: `all` runs the whole shop, `gateway` forwards requests to other processes.
    #[arg(long, value_name = "ROLE")]
    role: Option<String>,
    /// Upstream to which a gateway forwards writes: a scheme, a host and a port.
    #[arg(long, value_name = "URL")]
    upstream_commands: Option<String>,
    /// Upstream to which a gateway forwards reads.
    #[arg(long, value_name = "URL")]
    upstream_queries: Option<String>,
    /// Starts the shop even if encryption keys of people are missing. The personal data of these people stays
    /// unreadable.
    #[arg(long)]
    without_keys: bool,
    /// Starts without the demo catalogue.
    #[arg(long)]
    empty: bool,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Runs the shop until Ctrl-C or SIGTERM.
    Serve(ServeArgs),
    /// Prints an access token.
    Token(token::TokenArgs),
    /// Creates administrator accounts.
    #[command(subcommand)]
    Admin(admin::AdminCommand),
    /// Manages the keys that sign tokens and the keys that encrypt personal data.
    #[command(subcommand)]
    Keys(keys::KeysCommand),
    /// Imports a product catalogue.
    #[command(subcommand)]
    Import(import::ImportCommand),
    /// Lists, rebuilds or verifies read models.
    Replay(replay::ReplayArgs),
    /// Lists or retries parked entities, or skips their event. An entity is parked if a read model or process
    /// can't handle one of its events.
    #[command(subcommand)]
    Parked(parked::ParkedCommand),
    /// Shows events of the log.
    #[command(subcommand)]
    Events(events::EventsCommand),
    /// Verifies, backs up, restores or measures the log.
    #[command(subcommand)]
    Log(log::LogCommand),
    /// Prints the configuration in use. Secrets are hidden.
    Config,
}

/// Runs the program with the arguments of the command line.
pub fn run() -> ExitCode {
    // A panic message may contain personal data, so only the source location is logged.
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map(ToString::to_string).unwrap_or_default();
        // A backtrace names only functions and source locations, so it contains no personal data.
        let backtrace = Backtrace::capture();
        if backtrace.status() == BacktraceStatus::Captured {
            tracing::error!(place, %backtrace, "panic: this is a bug");
        } else {
            tracing::error!(place, "panic: this is a bug");
        }
    }));
    let cli = Cli::parse();
    match run_command(cli) {
        Ok(code) => code,
        Err(error) => {
            output::warn(format!("souk: {error:#}"));
            ExitCode::from(1)
        }
    }
}

fn run_command(cli: Cli) -> anyhow::Result<ExitCode> {
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
            // The remaining tasks were told to stop, and had enough time for it.
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

/// Sets up logging. Log lines go to standard error, because standard output is for the result of the command.
fn init_logging(configuration: &Configuration) -> anyhow::Result<()> {
    let filter = tracing_subscriber::EnvFilter::try_new(&configuration.log)
        .map_err(|error| anyhow::anyhow!("SOUK_LOG = `{}` is not allowed: {error}", configuration.log))?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_ansi(std::io::stderr().is_terminal())
        .with_writer(|| output::LogLines)
        // If standard error can't be written to, there is nowhere to report that.
        .log_internal_errors(false);
    if configuration.log_json {
        lines.json().init();
    } else {
        lines.init();
    }
    Ok(())
}
