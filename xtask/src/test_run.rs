//! `cargo xtask test`: everything that must hold, stage by stage, to the end whatever fails.
//!
//! Output streams as it comes. At the end stand the stages with their minutes and, alone on the last line,
//! how many checks passed and failed: tests as cargo counts them, any other stage as one.

mod stage;

use std::time::Instant;

use anyhow::Result;

use crate::workspace::{self, Profile};
use crate::{engines, fuzz, mutants, real_data, schemathesis, trial};
use stage::{Stage, Tally};

/// Kills of the trial by killing.
const KILLS: u64 = 20;
/// Its choices.
const KILLS_SEED: u64 = 1;

/// Runs the stages; false when one failed.
pub(crate) fn run(quick: bool) -> bool {
    let mut stages = vec![
        run_stage("engines", || engines::install().map(|()| Tally::PASSED)),
        run_stage("formatting", || stage::command(&["fmt", "--all", "--check"])),
        run_stage("formatting of fuzz/", || {
            stage::command(&["fmt", "--manifest-path", "fuzz/Cargo.toml", "--check"])
        }),
        run_stage("clippy", || {
            stage::command(&["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"])
        }),
        run_stage("tidy", || stage::tests(&["test", "--package", "xtask", "tidy::", "--", "--show-output"])),
        run_stage("docs", stage::docs),
        run_stage("tests", || {
            stage::tests(&["test", "--workspace", "--no-fail-fast", "--", "--skip", "tidy::"])
        }),
    ];
    if !quick {
        stages.push(run_stage("trial of one month", one_month));
        stages.push(run_stage("trial of 20 kills", twenty_kills));
        stages.push(run_stage("two mutants", two_mutants));
        stages.push(run_stage("schemathesis", the_api_by_its_document));
        stages.push(run_stage("fuzzing", bytes_from_outside));
    }
    summary(&stages)
}

fn run_stage(name: &'static str, work: impl FnOnce() -> Result<Tally>) -> Stage {
    println!("\n== {name}");
    let started = Instant::now();
    let tally = work().unwrap_or_else(|error| {
        println!("{name}: {error:#}");
        Tally::FAILED
    });
    Stage { name, tally, minutes: started.elapsed().as_secs_f64() / 60.0 }
}

/// With the binary that the tests have built, so that nothing is built twice.
fn one_month() -> Result<Tally> {
    let souk = workspace::build_souk(Profile::Dev)?;
    let scratch = tempfile::tempdir()?;
    let months = real_data::one_month(real_data::TEST_MONTH, scratch.path())?;
    println!("{}", months.described);
    let figures = trial::with_own_shop(&souk, &scratch.path().join("shop"), &months.files, true)?;
    trial::report(&figures);
    Ok(if figures.differences.is_empty() { Tally::PASSED } else { Tally::FAILED })
}

fn twenty_kills() -> Result<Tally> {
    let souk = workspace::build_souk(Profile::Dev)?;
    let scratch = tempfile::tempdir()?;
    let findings = trial::crash::killed(&souk, &scratch.path().join("shop"), KILLS, KILLS_SEED)?;
    for finding in &findings {
        println!("WRONG  {finding}");
    }
    Ok(if findings.is_empty() { Tally::PASSED } else { Tally::FAILED })
}

fn two_mutants() -> Result<Tally> {
    let missed = mutants::missed(&mutants::IN_EVERY_RUN.map(str::to_owned))?;
    Ok(if missed.is_empty() { Tally::PASSED } else { Tally::FAILED })
}

fn the_api_by_its_document() -> Result<Tally> {
    let souk = workspace::build_souk(Profile::Dev)?;
    let is_sound = schemathesis::tested(&souk, schemathesis::EXAMPLES)?;
    Ok(if is_sound { Tally::PASSED } else { Tally::FAILED })
}

fn bytes_from_outside() -> Result<Tally> {
    Ok(if fuzz::all(fuzz::SECONDS)? { Tally::PASSED } else { Tally::FAILED })
}

fn summary(stages: &[Stage]) -> bool {
    println!("\n== what ran");
    for stage in stages {
        let Tally { passed, failed } = stage.tally;
        let verdict = if failed == 0 { "ok" } else { "FAILED" };
        println!(
            "{:20} {:>6.2} min  {verdict:6} {passed} passed, {failed} failed",
            stage.name, stage.minutes
        );
    }
    let minutes: f64 = stages.iter().map(|stage| stage.minutes).sum();
    println!("{:20} {minutes:>6.2} min", "together");
    let passed: u64 = stages.iter().map(|stage| stage.tally.passed).sum();
    let failed: u64 = stages.iter().map(|stage| stage.tally.failed).sum();
    println!("\n{passed} passed, {failed} failed");
    failed == 0
}
