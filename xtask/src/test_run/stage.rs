//! The stages, in their order.

use std::fmt::{self, Display};
use std::process::Command;

use anyhow::{Context, Result};
use clap::ValueEnum;

use crate::workspace::{self, Profile};
use crate::{claims, clients, crates, engines, fuzz, mutants, readme, real_data, schemathesis, trial};

/// Kills of the trial by killing.
const KILLS: u64 = 20;
/// Its choices.
const KILLS_SEED: u64 = 1;
/// Extent of the trial by abuse.
const ABUSE: trial::abuse::Extent = trial::abuse::Extent { seconds: 30, addresses: 40 };

/// One stage.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Stage {
    /// Installs the servers that tests run against.
    Engines,
    /// Licences, bans and sources of the crates.
    Crates,
    /// Formatting, also of testing/fuzz/.
    Formatting,
    /// Lints.
    Clippy,
    /// What is held of files, names and dependencies.
    Tidy,
    /// The documentation, warnings denied.
    Docs,
    /// All tests.
    Tests,
    /// The tests that docs/SECURITY.md names ran.
    Claims,
    /// The commands of README.md, in a fresh clone.
    Readme,
    /// A month of sales, and its books.
    Month,
    /// The shop killed under load, again and again.
    Kills,
    /// The shop abused from many addresses while buyers buy.
    Abuse,
    /// Two planted bugs that the simulation must find.
    Mutants,
    /// The API tested from its own document.
    Schemathesis,
    /// Clients generated from that document, and a purchase with each.
    Clients,
    /// Bytes from outside.
    Fuzzing,
}

impl Stage {
    /// Each, in order.
    pub(super) fn all() -> impl Iterator<Item = Self> {
        Self::value_variants().iter().copied()
    }

    /// Whether it is part of a quick run.
    pub(super) fn is_quick(self) -> bool {
        self <= Self::Claims
    }

    /// Runs it; false when it failed.
    pub(super) fn run(self) -> Result<bool> {
        match self {
            Self::Engines => engines::install().map(|()| true),
            Self::Crates => crates::check(),
            Self::Formatting => Ok(cargo(&["fmt", "--all", "--check"])?
                & cargo(&["fmt", "--manifest-path", "testing/fuzz/Cargo.toml", "--check"])?),
            Self::Clippy => cargo(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]),
            Self::Tidy => cargo(&["test", "--package", "xtask", "tidy::", "--", "--show-output"]),
            Self::Docs => docs(),
            Self::Tests => cargo(&["test", "--workspace", "--no-fail-fast", "--", "--skip", "tidy::"]),
            Self::Claims => claims::check_tests_ran(&claims::tests_of_checkout()?),
            Self::Readme => readme::run_commands(&workspace::build_souk(Profile::Dev)?),
            Self::Month => one_month(),
            Self::Kills => twenty_kills(),
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

/// With the binary that the tests have built, so that nothing is built twice.
fn one_month() -> Result<bool> {
    let souk = workspace::build_souk(Profile::Dev)?;
    let scratch = tempfile::tempdir()?;
    let months = real_data::one_month(real_data::TEST_MONTH, scratch.path())?;
    println!("{}", months.described);
    let figures = trial::with_own_shop(&souk, &scratch.path().join("shop"), &months.files, true)?;
    trial::report(&figures);
    Ok(figures.differences.is_empty())
}

fn twenty_kills() -> Result<bool> {
    let souk = workspace::build_souk(Profile::Dev)?;
    let scratch = tempfile::tempdir()?;
    let findings = trial::crash::run_kills(&souk, &scratch.path().join("shop"), KILLS, KILLS_SEED)?;
    for finding in &findings {
        println!("WRONG  {finding}");
    }
    Ok(findings.is_empty())
}
