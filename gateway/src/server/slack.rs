//! Time that a client may keep an answer waiting: a store of seconds that waiting uses up and reading refills.

use std::time::Duration;

use tokio::time::Instant;

/// Bytes whose reading gives a second back: a client that reads at this rate is never cut off.
const READ_RATE_MIN: usize = 1_024;

/// The time that is left to one client.
#[derive(Debug)]
pub(super) struct Slack {
    max: Duration,
    left: Duration,
    /// The moment from which on the client is waited for.
    since: Option<Instant>,
}

impl Slack {
    pub(super) fn new(max: Duration) -> Self {
        Self { max, left: max, since: None }
    }

    /// The client is waited for from now on, unless it is already.
    pub(super) fn wait(&mut self, now: Instant) {
        self.since.get_or_insert(now);
    }

    /// The client has read some bytes; it is waited for no longer.
    pub(super) fn read(&mut self, now: Instant, bytes: usize) {
        self.left = self.left(now);
        self.since = None;
        let earned = Duration::from_millis((bytes.saturating_mul(1_000) / READ_RATE_MIN) as u64);
        self.left = self.left.saturating_add(earned).min(self.max);
    }

    /// The time that is left, none of it when the client is to be cut off.
    pub(super) fn left(&self, now: Instant) -> Duration {
        let waited = self.since.map_or(Duration::ZERO, |since| now.saturating_duration_since(since));
        self.left.saturating_sub(waited)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Waits again and again, each time until so many bytes are read: the seconds until it ends, if it does.
    fn ends_after(seconds: u64, bytes: usize) -> Option<u64> {
        let began = Instant::now();
        let mut now = began;
        let mut slack = Slack::new(Duration::from_secs(20));
        for _ in 0..1_000 {
            slack.wait(now);
            now += Duration::from_secs(seconds).min(slack.left(now));
            if slack.left(now).is_zero() {
                return Some((now - began).as_secs());
            }
            slack.read(now, bytes);
        }
        None
    }

    #[test]
    fn a_client_that_reads_nothing_or_too_little_uses_its_time_up() {
        assert_eq!(ends_after(30, 0), Some(20));
        assert_eq!(ends_after(5, 0), Some(20));
        assert_eq!(ends_after(4, 2_048), Some(36), "two seconds of four come back each time");
    }

    #[test]
    fn a_client_that_reads_a_kibibyte_a_second_goes_on_for_ever() {
        assert_eq!(ends_after(1, 1_024), None);
        assert_eq!(ends_after(15, 15 * 1_024), None);
    }

    #[test]
    fn reading_fast_saves_no_time_up() {
        let mut slack = Slack::new(Duration::from_secs(20));
        let now = Instant::now();
        slack.read(now, 1 << 30);
        assert_eq!(slack.left(now), Duration::from_secs(20));
    }
}
