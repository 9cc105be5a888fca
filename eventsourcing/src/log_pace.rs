//! Limits how often one problem is written to the program log (not the event log), when many tasks would
//! report it at the same time.
//!
//! Invariant: at most one line per ten seconds is due. Suppressed lines are lost.

use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Minimum time between two lines about one cause.
const PAUSE: Duration = Duration::from_secs(10);

/// Limiter that allows one line of the program log per ten seconds.
#[derive(Debug)]
pub struct LogPace {
    last: Mutex<Option<Instant>>,
}

impl LogPace {
    /// Makes a limiter whose first line is due immediately.
    pub const fn new() -> Self {
        Self { last: Mutex::new(None) }
    }

    /// Returns true if a line is due, and counts it as written.
    pub fn is_due(&self) -> bool {
        self.is_due_at(Instant::now())
    }

    fn is_due_at(&self, now: Instant) -> bool {
        let mut last = self.last.lock().unwrap_or_else(PoisonError::into_inner);
        if last.is_some_and(|last| now.duration_since(last) < PAUSE) {
            return false;
        }
        *last = Some(now);
        true
    }
}

impl Default for LogPace {
    fn default() -> Self {
        Self::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_line_is_due_every_ten_seconds() {
        let pace = LogPace::new();
        let now = Instant::now();
        let lines = (0..30).filter(|second| pace.is_due_at(now + Duration::from_secs(*second))).count();
        assert_eq!(lines, 3);
    }
}
