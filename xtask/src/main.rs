//! What one does to the shop from outside: `cargo xtask test`, `trial`, `bench`.
//!
//! Nothing here is part of the shop. It builds and starts the `souk` binary as anybody would and speaks to
//! it over HTTP; only the benches of the log use crates of the workspace. A command that finds something
//! wrong says what, and ends with exit status 1.
#![allow(clippy::print_stdout, reason = "a command line speaks through standard output")]

mod bench;
mod claims;
mod clients;
mod crates;
mod engines;
mod fuzz;
mod made_month;
mod mutants;
mod python;
mod readme;
mod real_data;
mod schemathesis;
mod shop;
mod test_run;
#[cfg(test)]
mod tidy;
mod trial;
mod workspace;

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Parser, Subcommand};

#[derive(Parser)]
#[command(name = "cargo xtask", about = "Tests, trials and benches of the shop")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Formatting, clippy, tidy checks, docs, all tests, and trials.
    Test(test_run::TestOptions),
    /// Trades real input through a running shop and compares the books.
    #[command(subcommand)]
    Trial(Trial),
    /// Installs the servers that tests run against, starts one of each, and keeps them until it is stopped.
    Engines(engines::EnginesOptions),
    /// Plants bugs that the simulation must find.
    Mutants(mutants::MutantOptions),
    /// Fuzzes everything that reads bytes from outside.
    Fuzz(fuzz::FuzzOptions),
    /// Tests the API from its own document.
    Schemathesis(schemathesis::SchemathesisOptions),
    /// Generates clients from the document of the API, checks them and buys something with each.
    Clients(clients::ClientsOptions),
    /// Measures the shop against baselines of the same run.
    Bench(bench::BenchOptions),
    /// Writes a made month of invoices, `YYYY-MM.csv.gz` with its `totals.csv`, into a folder.
    MadeMonth {
        /// The folder.
        folder: PathBuf,
        /// Tells several made months apart.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[derive(Subcommand)]
enum Trial {
    /// Every sale invoice an order, every cancellation's units back to stock.
    Sales(trial::SalesOptions),
    /// Kills the shop under load, again and again, and audits it.
    Crash(trial::crash::CrashOptions),
    /// Abuses the shop and a gateway from many addresses while buyers buy.
    Abuse(trial::abuse::AbuseOptions),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Test(options) => test_run::run(&options),
        Command::Trial(Trial::Sales(options)) => trial::run(&options),
        Command::Trial(Trial::Crash(options)) => trial::crash::run(&options),
        Command::Trial(Trial::Abuse(options)) => trial::abuse::run(&options),
        Command::Engines(options) => engines::run(&options),
        Command::Mutants(options) => mutants::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Schemathesis(options) => schemathesis::run(&options),
        Command::Clients(options) => clients::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::MadeMonth { folder, seed } => made_month::write(&folder, seed).map(|file| {
            println!("{}", file.display());
            true
        }),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
