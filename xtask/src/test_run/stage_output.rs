//! The output of a stage: counts of its tests, and the lines that tell of failures.

use std::collections::VecDeque;

/// Lines shown of one failure, from its first line.
const FAILURE_LINES_MAX: usize = 12;
/// Lines shown of all failures of a stage.
const FAILED_LINES_MAX: usize = 120;
/// Lines shown of a stage that failed without a failure line.
const LAST_LINES: usize = 30;

/// The output of a stage.
#[derive(Default)]
pub(super) struct StageOutput {
    pub(super) passed: u64,
    pub(super) failed: u64,
    is_tests: bool,
    failures: Vec<String>,
    /// Lines that still belong to the last failure.
    rest: usize,
    last: VecDeque<String>,
}

impl StageOutput {
    /// Takes a line of the output.
    pub(super) fn add(&mut self, line: &str) {
        self.count(line);
        if begins_a_failure(line) {
            self.rest = FAILURE_LINES_MAX;
        } else if line.ends_with("... FAILED") {
            self.rest = 1;
        }
        if self.rest > 0 && self.failures.len() < FAILED_LINES_MAX {
            self.rest = if line.is_empty() { 0 } else { self.rest - 1 };
            self.failures.push(line.to_owned());
        }
        self.last.push_back(line.to_owned());
        if self.last.len() > LAST_LINES {
            self.last.pop_front();
        }
    }

    /// Counts the tests of a line such as `test result: ok. 12 passed; 0 failed; 1 ignored; …`; ignores others.
    fn count(&mut self, line: &str) {
        let Some((_, counts)) = line.strip_prefix("test result: ").and_then(|rest| rest.split_once(". "))
        else {
            return;
        };
        self.is_tests = true;
        for count in counts.split("; ") {
            match count.split_once(' ') {
                Some((number, "passed")) => self.passed += number.parse().unwrap_or(0),
                Some((number, "failed")) => self.failed += number.parse().unwrap_or(0),
                _ => {}
            }
        }
    }

    /// Ends the output. A stage without tests counts as one check, and so does a failure outside the tests, such as a
    /// build that failed.
    pub(super) fn ended(&mut self, success: bool) {
        if !success && self.failed == 0 {
            self.failed = 1;
        } else if success && !self.is_tests {
            self.passed = 1;
        }
    }

    pub(super) fn has_failed(&self) -> bool {
        self.failed > 0
    }

    pub(super) fn described(&self) -> String {
        format!("{} passed, {} failed", self.passed, self.failed)
    }

    /// The lines of the failures, or the last lines if no line tells of one.
    pub(super) fn failure_lines(&self) -> String {
        if self.failures.is_empty() {
            return self.last.iter().map(String::as_str).collect::<Vec<_>>().join("\n");
        }
        self.failures.join("\n")
    }
}

fn begins_a_failure(line: &str) -> bool {
    line.starts_with("error") || line.starts_with("WRONG") || line.contains(" panicked at ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn output(lines: &[&str], success: bool) -> StageOutput {
        let mut output = StageOutput::default();
        for line in lines {
            output.add(line);
        }
        output.ended(success);
        output
    }

    #[test]
    fn tests_are_summed_over_binaries() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        let bad = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(output(&[ok, "running 5 tests", bad], false).described(), "15 passed, 2 failed");
        assert_eq!(output(&[ok], true).described(), "12 passed, 0 failed");
    }

    #[test]
    fn a_stage_without_tests_is_one_check() {
        assert_eq!(output(&["Checking"], true).described(), "1 passed, 0 failed");
        assert_eq!(output(&[], false).described(), "0 passed, 1 failed");
    }

    #[test]
    fn failure_lines_are_picked_from_the_output() {
        let lines = [
            "test a ... ok",
            "test b ... FAILED",
            "test c ... ok",
            "thread 'b' panicked at b.rs:1:",
            "no",
            "",
            "more",
        ];
        assert_eq!(
            output(&lines, false).failure_lines(),
            "test b ... FAILED\nthread 'b' panicked at b.rs:1:\nno\n"
        );
        assert_eq!(output(&["one", "two"], false).failure_lines(), "one\ntwo");
    }
}
