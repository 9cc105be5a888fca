//! Limits for whoever guesses: growing delays of a key, and a bound of a key for a day.

use std::hash::Hash;
use std::num::NonZeroUsize;

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

/// Failures that are forgiven.
pub const FREE_FAILURES: u32 = 5;
/// The longest delay of most keys, in seconds.
pub const DELAY_S_MAX: i64 = 15 * 60;
/// Time for which failures are remembered, and for which a bound holds.
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
    delay_s_max: i64,
}

impl<K: Hash + Eq> Throttle<K> {
    /// Forgives so many failures of a key; beyond them a delay lasts so many seconds at most.
    pub fn new(free: u32, delay_s_max: i64) -> Self {
        Self { failures: LruCache::new(keys_max()), free, delay_s_max }
    }

    /// The seconds to wait before the next try; none when it may come now.
    pub fn wait_s(&mut self, key: &K, now: Timestamp) -> Option<u32> {
        let failures = *self.failures.get(key)?;
        let delay = delay(failures.count.checked_sub(self.free)?, self.delay_s_max);
        seconds_until(failures.last + delay, now)
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
fn delay(beyond: u32, delay_s_max: i64) -> SignedDuration {
    SignedDuration::from_secs(1_i64.checked_shl(beyond.min(20)).unwrap_or(delay_s_max).min(delay_s_max))
}

fn seconds_until(until: Timestamp, now: Timestamp) -> Option<u32> {
    u32::try_from(until.duration_since(now).as_secs()).ok().filter(|left| *left > 0)
}

fn keys_max() -> NonZeroUsize {
    NonZeroUsize::new(KEYS_MAX).unwrap_or(NonZeroUsize::MIN)
}

/// A bound of failures of a key in a day, which begins with the first. It ends by itself, however often somebody
/// fails meanwhile: a growing delay would be held up for good by whoever goes on.
#[derive(Debug)]
pub struct DailyBound<K: Hash + Eq> {
    days: LruCache<K, Day>,
    failures_max: u32,
}

/// The failures of a key since its day began.
#[derive(Clone, Copy, Debug)]
struct Day {
    began: Timestamp,
    failures: u32,
}

impl Day {
    fn end(self) -> Timestamp {
        self.began + REMEMBERED
    }
}

impl<K: Hash + Eq> DailyBound<K> {
    /// Allows so many failures of a key in a day.
    pub fn new(failures_max: u32) -> Self {
        Self { days: LruCache::new(keys_max()), failures_max }
    }

    /// The seconds to wait before the next try; none when it may come now.
    pub fn wait_s(&mut self, key: &K, now: Timestamp) -> Option<u32> {
        let day = *self.days.get(key).filter(|day| day.failures >= self.failures_max)?;
        seconds_until(day.end(), now)
    }

    /// Counts a failure, or a try before its outcome is known.
    pub fn failed(&mut self, key: K, now: Timestamp) {
        let day = self.days.get_or_insert_mut(key, || Day { began: now, failures: 0 });
        if now >= day.end() {
            *day = Day { began: now, failures: 0 };
        }
        day.failures = day.failures.saturating_add(1);
    }

    /// Takes back a try that was no failure.
    pub fn undo(&mut self, key: &K) {
        if let Some(day) = self.days.get_mut(key) {
            day.failures = day.failures.saturating_sub(1);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    #[test]
    fn delays_begin_after_five_failures_and_grow() {
        let mut throttle = Throttle::new(FREE_FAILURES, DELAY_S_MAX);
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
        let mut throttle = Throttle::new(2, DELAY_S_MAX);
        for _ in 0..3 {
            throttle.failed("here", at(0));
        }
        throttle.undo(&"here");
        assert_eq!(throttle.wait_s(&"here", at(0)), Some(1));
        throttle.undo(&"here");
        assert_eq!(throttle.wait_s(&"here", at(0)), None);
    }

    #[test]
    fn a_bound_ends_a_day_after_the_first_failure_however_many_follow() {
        let mut bound = DailyBound::new(2);
        bound.failed("code", at(0));
        assert_eq!(bound.wait_s(&"code", at(0)), None);
        bound.failed("code", at(10));
        assert_eq!(bound.wait_s(&"code", at(10)), Some(24 * 3600 - 10));
        bound.failed("code", at(20));
        bound.undo(&"code");
        assert_eq!(bound.wait_s(&"code", at(24 * 3600 - 1)), Some(1));
        assert_eq!(bound.wait_s(&"code", at(24 * 3600)), None);
        bound.failed("code", at(24 * 3600));
        assert_eq!(bound.wait_s(&"code", at(24 * 3600)), None);
        assert_eq!(bound.wait_s(&"other", at(20)), None);
    }

    #[test]
    fn success_and_a_day_forgive() {
        let mut throttle = Throttle::new(1, DELAY_S_MAX);
        throttle.failed("ada", at(0));
        throttle.failed("ada", at(0));
        assert!(throttle.wait_s(&"ada", at(0)).is_some());
        throttle.failed("ada", at(25 * 3600));
        assert_eq!(throttle.wait_s(&"ada", at(25 * 3600)), Some(1));
        throttle.succeeded(&"ada");
        assert_eq!(throttle.wait_s(&"ada", at(25 * 3600)), None);
    }
}
