//! Time for which a client may leave a response unread. Waiting for the client uses up this budget, and bytes
//! that the client reads refill it.

use std::time::Duration;

use tokio::time::Instant;

/// Number of read bytes that add one second to the budget. A client that steadily reads this many bytes per
/// second is never cut off.
const READ_RATE_MIN: usize = 1_024;

/// Time budget of one response or connection.
#[derive(Debug)]
pub(super) struct WaitBudget {
    max: Duration,
    left: Duration,
    /// Start of the current wait for the client. `None` while nothing waits.
    waiting_since: Option<Instant>,
}

impl WaitBudget {
    pub(super) fn new(max: Duration) -> Self {
        Self { max, left: max, waiting_since: None }
    }

    /// Starts a wait for the client, unless one has started already.
    pub(super) fn wait(&mut self, now: Instant) {
        self.waiting_since.get_or_insert(now);
    }

    /// Ends the wait, because the client has read some bytes.
    pub(super) fn read(&mut self, now: Instant, bytes: usize) {
        self.left = self.left(now);
        self.waiting_since = None;
        let earned = Duration::from_millis((bytes.saturating_mul(1_000) / READ_RATE_MIN) as u64);
        self.left = self.left.saturating_add(earned).min(self.max);
    }

    /// Returns the time that is left. Zero means that the client must be cut off.
    pub(super) fn left(&self, now: Instant) -> Duration {
        let waited = self.waiting_since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.left.saturating_sub(waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Simulates a client that reads `bytes` bytes every `seconds` seconds. Returns the second at which it is
    /// cut off.
    fn cut_off_after(seconds: u64, bytes: usize) -> Option<u64> {
        let began = Instant::now();
        let mut now = began;
        let mut budget = WaitBudget::new(Duration::from_secs(20));
        for _ in 0..1_000 {
            budget.wait(now);
            now += Duration::from_secs(seconds).min(budget.left(now));
            if budget.left(now).is_zero() {
                return Some((now - began).as_secs());
            }
            budget.read(now, bytes);
        }
        None
    }

    #[test]
    fn a_client_that_reads_nothing_or_too_little_uses_up_its_budget() {
        assert_eq!(cut_off_after(30, 0), Some(20));
        assert_eq!(cut_off_after(5, 0), Some(20));
        assert_eq!(cut_off_after(4, 2_048), Some(36), "each wait uses four seconds, and each read adds two");
    }

    #[test]
    fn a_client_that_reads_a_kibibyte_per_second_is_never_cut_off() {
        assert_eq!(cut_off_after(1, 1_024), None);
        assert_eq!(cut_off_after(15, 15 * 1_024), None);
    }

    #[test]
    fn fast_reading_does_not_raise_the_budget_above_its_maximum() {
        let mut budget = WaitBudget::new(Duration::from_secs(20));
        let now = Instant::now();
        budget.read(now, 1 << 30);
        assert_eq!(budget.left(now), Duration::from_secs(20));
    }
}
