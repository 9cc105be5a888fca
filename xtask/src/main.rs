//! Development tasks: `cargo xtask test`, `trial`, `bench` and others.
//!
//! Nothing here is part of the shop. The tasks build and start the program `souk` and call it over HTTP; only a
//! few benchmarks and checks use crates of the workspace directly. A task that finds an error prints it and
//! ends with exit status 1.
#![allow(clippy::print_stdout, reason = "a command line program prints to standard output")]

mod bench;
mod claims;
mod clients;
mod crates;
mod engines;
mod figures;
mod fuzz;
mod generated_month;
mod mutants;
mod python;
mod readme;
mod real_data;
mod rules;
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
    /// Runs formatting, clippy, tidy checks, docs, all tests, and trials.
    Test(test_run::TestOptions),
    /// Runs a shop under realistic load or attack, and checks its data afterwards.
    #[command(subcommand)]
    Trial(Trial),
    /// Installs the servers that tests need, starts one of each, and keeps them running until Ctrl-C.
    Engines(engines::EnginesOptions),
    /// Prints the figures of the source beside the values to keep.
    Tidy(figures::TidyOptions),
    /// Writes docs/RULES.md: each rule of the shop with the tests that prove it.
    Rules,
    /// Plants known bugs in a copy of the source; the simulation must find each.
    Mutants(mutants::MutantOptions),
    /// Fuzzes all parsers of outside input.
    Fuzz(fuzz::FuzzOptions),
    /// Tests the API with requests generated from the API document.
    Schemathesis(schemathesis::SchemathesisOptions),
    /// Generates clients from the API document, checks them and buys something with each.
    Clients(clients::ClientsOptions),
    /// Measures the shop against baselines of the same run.
    Bench(bench::BenchOptions),
    /// Generates a month of invoices, `YYYY-MM.csv.gz` and `totals.csv`, in a folder.
    GenerateMonth {
        /// Folder to write to; created if missing.
        folder: PathBuf,
        /// Seed of the generator: equal seeds give equal months.
        #[arg(long, default_value_t = 1)]
        seed: u64,
    },
}

#[derive(Subcommand)]
enum Trial {
    /// Sends the invoices of real months as orders, and compares the totals.
    Sales(trial::SalesOptions),
    /// Kills the shop again and again under load, and checks its data afterwards.
    Crash(trial::crash::CrashOptions),
    /// Attacks the shop and a gateway from many addresses while buyers buy.
    Abuse(trial::abuse::AbuseOptions),
}

fn main() -> ExitCode {
    let outcome = match Cli::parse().command {
        Command::Test(options) => test_run::run(&options),
        Command::Trial(Trial::Sales(options)) => trial::run(&options),
        Command::Trial(Trial::Crash(options)) => trial::crash::run(&options),
        Command::Trial(Trial::Abuse(options)) => trial::abuse::run(&options),
        Command::Engines(options) => engines::run(&options),
        Command::Tidy(options) => figures::run(&options),
        Command::Rules => rules::write(),
        Command::Mutants(options) => mutants::run(&options),
        Command::Fuzz(options) => fuzz::run(&options),
        Command::Schemathesis(options) => schemathesis::run(&options),
        Command::Clients(options) => clients::run(&options),
        Command::Bench(options) => bench::run(&options),
        Command::GenerateMonth { folder, seed } => generated_month::write(&folder, seed).map(|file| {
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
