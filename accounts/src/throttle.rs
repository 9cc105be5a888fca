//! Growing delays for whoever guesses: by account, whether or not it exists, and by address.

use std::hash::Hash;
use std::num::NonZeroUsize;

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

/// Failures that are forgiven.
pub const FREE_FAILURES: u32 = 5;
/// The longest delay, in seconds.
const DELAY_S_MAX: i64 = 15 * 60;
/// How long failures are remembered.
const REMEMBERED: SignedDuration = SignedDuration::from_hours(24);
/// Keys that are remembered at once: the least recently tried go first.
const KEYS_MAX: usize = 100_000;

/// What is known of a key.
#[derive(Clone, Copy, Debug)]
struct Failures {
    count: u32,
    last: Timestamp,
}

/// Counts failures and says how long to wait.
#[derive(Debug)]
pub struct Throttle<K: Hash + Eq> {
    failures: LruCache<K, Failures>,
    free: u32,
}

impl<K: Hash + Eq> Throttle<K> {
    /// Forgives so many failures of a key.
    pub fn new(free: u32) -> Self {
        let keys_max = NonZeroUsize::new(KEYS_MAX).unwrap_or(NonZeroUsize::MIN);
        Self { failures: LruCache::new(keys_max), free }
    }

    /// The seconds to wait before the next try; none when it may come now.
    pub fn wait_s(&mut self, key: &K, now: Timestamp) -> Option<u32> {
        let failures = *self.failures.get(key)?;
        let until = failures.last + delay(failures.count.checked_sub(self.free)?);
        let left = until.duration_since(now).as_secs();
        u32::try_from(left).ok().filter(|left| *left > 0)
    }

    /// It failed. Counted before the outcome is known, too: tries that run at once are no way around.
    pub fn failed(&mut self, key: K, now: Timestamp) {
        let failures = self.failures.get_or_insert_mut(key, || Failures { count: 0, last: now });
        if now.duration_since(failures.last) > REMEMBERED {
            failures.count = 0;
        }
        failures.count = failures.count.saturating_add(1);
        failures.last = now;
    }

    /// What was counted before its outcome was known was no failure.
    pub fn undo(&mut self, key: &K) {
        if let Some(failures) = self.failures.get_mut(key) {
            failures.count = failures.count.saturating_sub(1);
        }
    }

    /// It succeeded: what was before is forgiven.
    pub fn succeeded(&mut self, key: &K) {
        self.failures.pop(key);
    }
}

/// One second, then twice as long each time.
fn delay(beyond: u32) -> SignedDuration {
    SignedDuration::from_secs(1_i64.checked_shl(beyond.min(20)).unwrap_or(DELAY_S_MAX).min(DELAY_S_MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn delays_begin_after_five_failures_and_grow() {
        let mut throttle = Throttle::new(FREE_FAILURES);
        for n in 0..4 {
            throttle.failed("ada", at(n));
            assert_eq!(throttle.wait_s(&"ada", at(n)), None);
        }
        let mut waits = Vec::new();
        for _ in 0..12 {
            throttle.failed("ada", at(10));
            waits.push(throttle.wait_s(&"ada", at(10)).unwrap());
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900]);
        assert_eq!(throttle.wait_s(&"ada", at(10 + 900)), None);
        assert_eq!(throttle.wait_s(&"bob", at(10)), None);
    }

    #[test]
    fn what_was_no_failure_is_taken_back_alone() {
        let mut throttle = Throttle::new(2);
        for _ in 0..3 {
            throttle.failed("here", at(0));
        }
        throttle.undo(&"here");
        assert_eq!(throttle.wait_s(&"here", at(0)), Some(1));
        throttle.undo(&"here");
        assert_eq!(throttle.wait_s(&"here", at(0)), None);
    }

    #[test]
    fn success_and_a_day_forgive() {
        let mut throttle = Throttle::new(1);
        throttle.failed("ada", at(0));
        throttle.failed("ada", at(0));
        assert!(throttle.wait_s(&"ada", at(0)).is_some());
        throttle.failed("ada", at(25 * 3600));
        assert_eq!(throttle.wait_s(&"ada", at(25 * 3600)), Some(1));
        throttle.succeeded(&"ada");
        assert_eq!(throttle.wait_s(&"ada", at(25 * 3600)), None);
    }
}
