//! The stages of a test run, in the order in which they run.

use std::fmt::{self, Display};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::workspace::{self, Profile};
use crate::{claims, clients, crates, engines, fuzz, mutants, readme, real_data, schemathesis, trial};

/// Number of kills in the crash trial.
const KILLS: u64 = 20;
/// Seed of the crash trial.
const KILLS_SEED: u64 = 1;
/// Extent of the abuse trial.
const ABUSE: trial::abuse::Extent = trial::abuse::Extent { seconds: 30, addresses: 40 };

/// Stages of a quick run: the checks that start no servers and no trials.
const QUICK: [Stage; 4] = [Stage::Formatting, Stage::Clippy, Stage::Tidy, Stage::Units];

/// A stage of the test run.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Stage {
    /// Installs the servers that the tests start.
    Engines,
    /// Checks licences, bans and sources of the crates.
    Crates,
    /// Checks the formatting of both workspaces.
    Formatting,
    /// Runs clippy.
    Clippy,
    /// Checks rules for files, names, language and dependencies.
    Tidy,
    /// Builds the documentation and denies warnings.
    Docs,
    /// Runs the unit tests. A full run includes them in `tests`.
    Units,
    /// Runs all tests.
    Tests,
    /// Checks that all tests in the list of docs/SECURITY.md were run.
    Claims,
    /// Runs the commands of README.md in a fresh clone.
    Readme,
    /// Sends a month of invoices as orders and compares the totals.
    Month,
    /// Kills the shop under load, again and again.
    Kills,
    /// Attacks the shop from many addresses while buyers buy.
    Abuse,
    /// Adds two known bugs to copies of the source. The simulation must find them.
    Mutants,
    /// Tests the API from its `OpenAPI` document.
    Schemathesis,
    /// Generates clients from the `OpenAPI` document and buys something with each.
    Clients,
    /// Fuzzes every decoder.
    Fuzzing,
}

impl Stage {
    /// The stages of a run, in order.
    pub(super) fn of_run(is_quick: bool) -> impl Iterator<Item = Self> {
        let is_of_run =
            move |stage: &Self| if is_quick { QUICK.contains(stage) } else { *stage != Self::Units };
        Self::value_variants().iter().copied().filter(is_of_run)
    }

    /// Runs the stage. Returns false if it failed.
    pub(super) fn run(self) -> Result<bool> {
        match self {
            Self::Engines => engines::install().map(|()| true),
            Self::Crates => crates::check(),
            Self::Formatting => Ok(cargo(&["fmt", "--all", "--check"])?
                & cargo(&["fmt", "--manifest-path", "testing/fuzz/Cargo.toml", "--check"])?),
            Self::Clippy => cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
            Self::Tidy => cargo(&["test", "--package", "xtask", "tidy::", "--", "--show-output"]),
            Self::Docs => docs(),
            Self::Units => cargo(&["test", "--workspace", "--lib", "--no-fail-fast"]),
            Self::Tests => cargo(&["test", "--workspace", "--no-fail-fast", "--", "--skip", "tidy::"]),
            Self::Claims => claims::check_tests_ran(&claims::tests_of_checkout()?),
            Self::Readme => readme::run_commands(&workspace::build_souk(Profile::Dev)?),
            Self::Month => one_month(),
            Self::Kills => crash_trial(),
            Self::Abuse => trial::abuse::run_all_attacks(&workspace::build_souk(Profile::Dev)?, ABUSE),
            Self::Mutants => Ok(mutants::find_missed(&mutants::IN_EVERY_RUN.map(str::to_owned))?.is_empty()),
            Self::Schemathesis => {
                schemathesis::test_api(&workspace::build_souk(Profile::Dev)?, schemathesis::EXAMPLES)
            }
            Self::Clients => clients::test_clients(&workspace::build_souk(Profile::Dev)?),
            Self::Fuzzing => fuzz::fuzz_all(fuzz::SECONDS),
        }
    }
}

impl Display for Stage {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        let value = self.to_possible_value().expect("no stage is hidden");
        formatter.pad(value.get_name())
    }
}

fn cargo(arguments: &[&str]) -> Result<bool> {
    succeeds(workspace::cargo().args(arguments))
}

fn docs() -> Result<bool> {
    let mut command = workspace::cargo();
    succeeds(command.args(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings"))
}

fn succeeds(command: &mut Command) -> Result<bool> {
    Ok(command.status().context("cargo can't be run")?.success())
}

/// Sends the invoices of the test month to the program that the tests use, so that nothing is built twice.
fn one_month() -> Result<bool> {
    let souk = workspace::build_souk(Profile::Dev)?;
    let scratch = tempfile::tempdir()?;
    let months = real_data::one_month(real_data::TEST_MONTH, scratch.path())?;
    println!("{}", months.described);
    let figures = trial::with_own_shop(&souk, &scratch.path().join("shop"), &months.files, true)?;
    trial::report(&figures);
    Ok(figures.differences.is_empty())
}

fn crash_trial() -> Result<bool> {
    let souk = workspace::build_souk(Profile::Dev)?;
    let scratch = tempfile::tempdir()?;
    let findings = trial::crash::run_kills(&souk, &scratch.path().join("shop"), KILLS, KILLS_SEED)?;
    for finding in &findings {
        println!("WRONG  {finding}");
    }
    Ok(findings.is_empty())
}
