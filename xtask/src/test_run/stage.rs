//! One stage: a cargo command, its output passed on as it comes, its tests counted.

use std::io::{BufRead, BufReader};
use std::process::{Command, Stdio};

use anyhow::{Context, Result};

use crate::workspace;

/// A stage that ran.
pub(super) struct Stage {
    pub(super) name: &'static str,
    pub(super) tally: Tally,
    pub(super) minutes: f64,
}

/// How many checks passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) passed: u64,
    pub(super) failed: u64,
}

impl Tally {
    /// A stage that is one check.
    pub(super) const PASSED: Self = Self { passed: 1, failed: 0 };
    /// A stage that is one check.
    pub(super) const FAILED: Self = Self { passed: 0, failed: 1 };

    /// Adds a line as in `test result: ok. 12 passed; 0 failed; 1 ignored; …`; other lines say nothing.
    fn add_line(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }

    /// A command that failed without a failed test (it did not build, a test was killed) is one failure.
    fn with_exit(mut self, success: bool) -> Self {
        if !success && self.failed == 0 {
            self.failed = 1;
        }
        self
    }
}

/// A cargo command that is one check.
pub(super) fn command(arguments: &[&str]) -> Result<Tally> {
    let success = started(workspace::cargo().args(arguments))?;
    Ok(if success { Tally::PASSED } else { Tally::FAILED })
}

/// The documentation, warnings denied.
pub(super) fn docs() -> Result<Tally> {
    let mut command = workspace::cargo();
    command.args(["doc", "--no-deps", "--workspace"]).env("RUSTDOCFLAGS", "-D warnings");
    Ok(if started(&mut command)? { Tally::PASSED } else { Tally::FAILED })
}

fn started(command: &mut Command) -> Result<bool> {
    Ok(command.status().context("cargo can't be run")?.success())
}

/// A cargo command that runs tests.
pub(super) fn tests(arguments: &[&str]) -> Result<Tally> {
    let mut command = workspace::cargo();
    let mut child = command.args(arguments).stdout(Stdio::piped()).spawn().context("cargo can't be run")?;
    let stdout = child.stdout.take().expect("standard output was asked for");
    let mut tally = Tally::default();
    for line in BufReader::new(stdout).split(b'\n') {
        let line = String::from_utf8_lossy(&line?).into_owned();
        println!("{line}");
        tally.add_line(&line);
    }
    Ok(tally.with_exit(child.wait()?.success()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[&str], success: bool, passed: u64, failed: u64) {
        let mut tally = Tally::default();
        for line in lines {
            tally.add_line(line);
        }
        assert_eq!(tally.with_exit(success), Tally { passed, failed }, "{lines:?}");
    }

    #[test]
    fn tests_are_summed_over_binaries() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        let bad = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        check(&[ok, "running 5 tests", bad], false, 15, 2);
        check(&[ok], true, 12, 0);
    }

    #[test]
    fn a_command_that_fails_without_a_failed_test_is_one_failure() {
        check(&[], false, 0, 1);
    }
}
