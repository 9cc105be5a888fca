//! What a stage printed: its tests counted, and what failed picked out of it.

use std::collections::VecDeque;

/// Lines told of one failure, from the line that begins it.
const FAILURE_LINES_MAX: usize = 12;
/// Lines told of all failures of a stage.
const FAILED_LINES_MAX: usize = 120;
/// Lines told of a stage that failed without saying where.
const LAST_LINES: usize = 30;

/// What a stage printed.
#[derive(Default)]
pub(super) struct Printed {
    pub(super) passed: u64,
    pub(super) failed: u64,
    is_tests: bool,
    failures: Vec<String>,
    /// Lines that still belong to the failure told last.
    rest: usize,
    last: VecDeque<String>,
}

impl Printed {
    /// Takes a line.
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

    /// Adds a line as in `test result: ok. 12 passed; 0 failed; 1 ignored; …`; other lines say nothing.
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

    /// A stage without tests is one check, and so is a failure that no test told (it did not build).
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

    /// The lines that say what failed, or the last ones when none does.
    pub(super) fn what_failed(&self) -> String {
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

    fn printed(lines: &[&str], success: bool) -> Printed {
        let mut printed = Printed::default();
        for line in lines {
            printed.add(line);
        }
        printed.ended(success);
        printed
    }

    #[test]
    fn tests_are_summed_over_binaries() {
        let ok =
            "test result: ok. 12 passed; 0 failed; 1 ignored; 0 measured; 3 filtered out; finished in 0.01s";
        let bad = "test result: FAILED. 3 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out";
        assert_eq!(printed(&[ok, "running 5 tests", bad], false).described(), "15 passed, 2 failed");
        assert_eq!(printed(&[ok], true).described(), "12 passed, 0 failed");
    }

    #[test]
    fn a_stage_without_tests_is_one_check() {
        assert_eq!(printed(&["Checking"], true).described(), "1 passed, 0 failed");
        assert_eq!(printed(&[], false).described(), "0 passed, 1 failed");
    }

    #[test]
    fn what_failed_is_picked_out_of_the_rest() {
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
            printed(&lines, false).what_failed(),
            "test b ... FAILED\nthread 'b' panicked at b.rs:1:\nno\n"
        );
        assert_eq!(printed(&["one", "two"], false).what_failed(), "one\ntwo");
    }
}
