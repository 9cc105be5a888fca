//! Limits against guessing: growing delays per key, and a daily limit per key.
//!
//! A key is either the target of the guesses, such as an account, or their source, such as a client address.
//! Counts are kept only in memory, for a limited number of keys; a restart forgets them.

use std::hash::Hash;
use std::num::NonZeroUsize;

use jiff::{SignedDuration, Timestamp};
use lru::LruCache;

/// Number of failures of a key after which delays begin: the last of these failures causes the first delay.
pub const FREE_FAILURES: u32 = 5;
/// Longest delay of most keys, in seconds.
pub const DELAY_S_MAX: i64 = 15 * 60;
/// Time for which failures are remembered.
const REMEMBERED_FOR: SignedDuration = SignedDuration::from_hours(24);
/// Largest number of keys in memory. The least recently used key is dropped first.
const KEYS_MAX: usize = 100_000;

/// Decision about the next attempt at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// The attempt is allowed now.
    Now,
    /// The decision depends on the outcome of attempts in progress. Ask again when they have ended.
    WhenOthersEnd,
    /// The attempt is allowed after this number of seconds.
    AfterSeconds(u32),
}

/// Outcome of an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The guess was right. A [`Throttle`] then forgets the earlier failures of the key, but a [`DailyLimit`]
    /// does not.
    Right,
    /// The guess was wrong.
    Wrong,
    /// The attempt does not count, for example after an error of the server.
    Nothing,
}

/// Failures of a key, and its attempts in progress.
#[derive(Clone, Copy, Debug)]
struct Attempts {
    failures: u32,
    /// Time of the last failure.
    last: Timestamp,
    in_progress: u32,
}

/// Counter of failures per key, with growing delays. Attempts in progress count as failures until they have
/// ended, so that parallel attempts can't avoid the delays.
#[derive(Debug)]
pub struct Throttle<K: Hash + Eq> {
    attempts: LruCache<K, Attempts>,
    delayed_after: u32,
    delay_s_max: i64,
}

impl Attempts {
    fn none(now: Timestamp) -> Self {
        Self { failures: 0, last: now, in_progress: 0 }
    }
}

impl<K: Hash + Eq> Throttle<K> {
    /// Creates a throttle. Delays begin after `delayed_after` failures of a key, and grow up to `delay_s_max`
    /// seconds.
    pub fn new(delayed_after: u32, delay_s_max: i64) -> Self {
        Self { attempts: LruCache::new(keys_max()), delayed_after, delay_s_max }
    }

    /// Decides about the next attempt at a key.
    pub fn verdict(&mut self, key: &K, now: Timestamp) -> Verdict {
        let Some(attempts) = self.attempts.get(key).copied() else { return Verdict::Now };
        let beyond = attempts.failures.checked_sub(self.delayed_after);
        let until = beyond.map(|beyond| attempts.last + delay(beyond, self.delay_s_max));
        if let Some(wait) = until.and_then(|until| seconds_until(until, now)) {
            return Verdict::AfterSeconds(wait);
        }
        let could_be_delayed = attempts.failures.saturating_add(attempts.in_progress) >= self.delayed_after;
        if attempts.in_progress > 0 && could_be_delayed { Verdict::WhenOthersEnd } else { Verdict::Now }
    }

    /// Begins an attempt.
    pub fn begin(&mut self, key: K, now: Timestamp) {
        let attempts = self.attempts.get_or_insert_mut(key, || Attempts::none(now));
        attempts.in_progress = attempts.in_progress.saturating_add(1);
    }

    /// Ends an attempt with its outcome.
    pub fn end(&mut self, key: K, outcome: Outcome, now: Timestamp) {
        if outcome == Outcome::Wrong {
            let attempts = self.attempts.get_or_insert_mut(key, || Attempts::none(now));
            if now.duration_since(attempts.last) > REMEMBERED_FOR {
                attempts.failures = 0;
            }
            attempts.failures = attempts.failures.saturating_add(1);
            attempts.last = now;
            attempts.in_progress = attempts.in_progress.saturating_sub(1);
            return;
        }
        if let Some(attempts) = self.attempts.get_mut(&key) {
            attempts.in_progress = attempts.in_progress.saturating_sub(1);
        }
        if outcome == Outcome::Right {
            self.clear_failures(&key);
        }
    }

    /// Forgets the failures of a key.
    pub fn clear_failures(&mut self, key: &K) {
        if let Some(attempts) = self.attempts.get_mut(key) {
            attempts.failures = 0;
            if attempts.in_progress == 0 {
                self.attempts.pop(key);
            }
        }
    }
}

/// Returns the delay after a failure: one second if `beyond` is 0, and twice as long for each further one.
fn delay(beyond: u32, delay_s_max: i64) -> SignedDuration {
    SignedDuration::from_secs(1_i64.checked_shl(beyond.min(20)).unwrap_or(delay_s_max).min(delay_s_max))
}

/// Returns the number of seconds until a time, rounded up, or `None` if the time has come.
fn seconds_until(until: Timestamp, now: Timestamp) -> Option<u32> {
    let left = until.duration_since(now);
    let rounding = i64::from(left.subsec_nanos() > 0);
    u32::try_from(left.as_secs() + rounding).ok().filter(|left| *left > 0)
}

fn keys_max() -> NonZeroUsize {
    NonZeroUsize::new(KEYS_MAX).unwrap_or(NonZeroUsize::MIN)
}

/// Limit of failures per key and day. A day begins with the first failure and ends after 24 hours, even if
/// more failures follow. If there were a growing delay instead, an attacker who continues to guess could
/// extend it again and again.
#[derive(Debug)]
pub struct DailyLimit<K: Hash + Eq> {
    days: LruCache<K, Day>,
    failures_max: u32,
}

/// Failures of a key since its day began, and its attempts in progress.
#[derive(Clone, Copy, Debug)]
struct Day {
    began: Timestamp,
    failures: u32,
    in_progress: u32,
}

impl Day {
    fn ends_at(self) -> Timestamp {
        self.began + REMEMBERED_FOR
    }
}

impl<K: Hash + Eq> DailyLimit<K> {
    /// Creates a limit of `failures_max` failures per key and day.
    pub fn new(failures_max: u32) -> Self {
        Self { days: LruCache::new(keys_max()), failures_max }
    }

    /// Decides about the next attempt at a key.
    pub fn verdict(&mut self, key: &K, now: Timestamp) -> Verdict {
        let Some(day) = self.days.get(key).copied() else { return Verdict::Now };
        let failures = if now < day.ends_at() { day.failures } else { 0 };
        if failures >= self.failures_max
            && let Some(wait) = seconds_until(day.ends_at(), now)
        {
            return Verdict::AfterSeconds(wait);
        }
        let is_full = failures.saturating_add(day.in_progress) >= self.failures_max;
        if day.in_progress > 0 && is_full { Verdict::WhenOthersEnd } else { Verdict::Now }
    }

    /// Begins an attempt.
    pub fn begin(&mut self, key: K, now: Timestamp) {
        let day = self.days.get_or_insert_mut(key, || Day { began: now, failures: 0, in_progress: 0 });
        day.in_progress = day.in_progress.saturating_add(1);
    }

    /// Ends an attempt with its outcome. A right guess forgives no earlier failure.
    pub fn end(&mut self, key: K, outcome: Outcome, now: Timestamp) {
        let day = self.days.get_or_insert_mut(key, || Day { began: now, failures: 0, in_progress: 0 });
        day.in_progress = day.in_progress.saturating_sub(1);
        if outcome != Outcome::Wrong {
            return;
        }
        // A day begins with the first failure.
        if day.failures == 0 || now >= day.ends_at() {
            *day = Day { began: now, failures: 0, in_progress: day.in_progress };
        }
        day.failures = day.failures.saturating_add(1);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds)
    }

    fn fail<K: Hash + Eq>(throttle: &mut Throttle<K>, key: K, now: Timestamp) {
        throttle.end(key, Outcome::Wrong, now);
    }

    // Proves: sign-in.growing-delays
    #[test]
    fn delays_begin_after_five_failures_and_grow() {
        let mut throttle = Throttle::new(FREE_FAILURES, DELAY_S_MAX);
        for n in 0..4 {
            fail(&mut throttle, "ada", at(n));
            assert_eq!(throttle.verdict(&"ada", at(n)), Verdict::Now);
        }
        let mut waits = Vec::new();
        for _ in 0..12 {
            fail(&mut throttle, "ada", at(10));
            waits.push(throttle.verdict(&"ada", at(10)));
        }
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900].map(Verdict::AfterSeconds));
        assert_eq!(throttle.verdict(&"ada", at(10 + 900)), Verdict::Now);
        assert_eq!(throttle.verdict(&"bob", at(10)), Verdict::Now);
    }

    #[test]
    fn attempts_in_progress_count_as_failures_until_their_outcome_is_known() {
        let mut throttle = Throttle::new(2, DELAY_S_MAX);
        throttle.begin("here", at(0));
        assert_eq!(throttle.verdict(&"here", at(0)), Verdict::Now);
        throttle.begin("here", at(0));
        assert_eq!(throttle.verdict(&"here", at(0)), Verdict::WhenOthersEnd);
        throttle.end("here", Outcome::Nothing, at(0));
        assert_eq!(throttle.verdict(&"here", at(0)), Verdict::Now);
        throttle.end("here", Outcome::Wrong, at(0));
        throttle.begin("here", at(0));
        assert_eq!(throttle.verdict(&"here", at(0)), Verdict::WhenOthersEnd);
        throttle.end("here", Outcome::Wrong, at(0));
        assert_eq!(throttle.verdict(&"here", at(0)), Verdict::AfterSeconds(1));
        // After the delay one attempt is allowed, and the next waits for its outcome.
        assert_eq!(throttle.verdict(&"here", at(1)), Verdict::Now);
        throttle.begin("here", at(1));
        assert_eq!(throttle.verdict(&"here", at(1)), Verdict::WhenOthersEnd);
        throttle.begin("here", at(1));
        throttle.end("here", Outcome::Right, at(1));
        assert_eq!(
            throttle.verdict(&"here", at(1)),
            Verdict::Now,
            "one attempt is in progress, and none has failed"
        );
    }

    #[test]
    fn a_daily_limit_is_lifted_24_hours_after_the_first_failure_even_if_more_follow() {
        let mut limit = DailyLimit::new(2);
        limit.end("code", Outcome::Wrong, at(0));
        assert_eq!(limit.verdict(&"code", at(0)), Verdict::Now);
        limit.begin("code", at(9));
        assert_eq!(limit.verdict(&"code", at(9)), Verdict::WhenOthersEnd);
        limit.end("code", Outcome::Wrong, at(10));
        assert_eq!(limit.verdict(&"code", at(10)), Verdict::AfterSeconds(24 * 3600 - 10));
        limit.begin("code", at(20));
        limit.end("code", Outcome::Right, at(20));
        assert_eq!(limit.verdict(&"code", at(24 * 3600 - 1)), Verdict::AfterSeconds(1));
        assert_eq!(limit.verdict(&"code", at(24 * 3600)), Verdict::Now);
        limit.end("code", Outcome::Wrong, at(24 * 3600));
        assert_eq!(limit.verdict(&"code", at(24 * 3600)), Verdict::Now);
        assert_eq!(limit.verdict(&"other", at(20)), Verdict::Now);
    }

    #[test]
    fn a_success_or_a_day_without_failures_resets_the_delay() {
        let mut throttle = Throttle::new(1, DELAY_S_MAX);
        fail(&mut throttle, "ada", at(0));
        fail(&mut throttle, "ada", at(0));
        assert!(matches!(throttle.verdict(&"ada", at(0)), Verdict::AfterSeconds(_)));
        fail(&mut throttle, "ada", at(25 * 3600));
        assert_eq!(throttle.verdict(&"ada", at(25 * 3600)), Verdict::AfterSeconds(1));
        throttle.end("ada", Outcome::Right, at(25 * 3600));
        assert_eq!(throttle.verdict(&"ada", at(25 * 3600)), Verdict::Now);
    }
}
