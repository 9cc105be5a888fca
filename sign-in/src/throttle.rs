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

/// The answer to a caller who wants to try at a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Verdict {
    /// It may.
    Now,
    /// It may unless those that are under way fail: their outcome decides.
    WhenOthersEnd,
    /// It may in so many seconds.
    In(u32),
}

/// The end of a try.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was right: the failures before it are forgiven.
    Right,
    /// It failed.
    Wrong,
    /// It says nothing about the key.
    Nothing,
}

/// The failures of a key, and the tries whose outcome is not known yet.
#[derive(Clone, Copy, Debug)]
struct Tries {
    failures: u32,
    /// The moment of the last failure.
    last: Timestamp,
    under_way: u32,
}

/// Counts failures and says how long to wait. Tries that are under way count as failures until they have ended, so that
/// tries at once are no way around.
#[derive(Debug)]
pub struct Throttle<K: Hash + Eq> {
    tries: LruCache<K, Tries>,
    free: u32,
    delay_s_max: i64,
}

impl<K: Hash + Eq> Throttle<K> {
    /// Forgives so many failures of a key; beyond them a delay lasts so many seconds at most.
    pub fn new(free: u32, delay_s_max: i64) -> Self {
        Self { tries: LruCache::new(keys_max()), free, delay_s_max }
    }

    /// Says whether the next try may be made.
    pub fn verdict(&mut self, key: &K, now: Timestamp) -> Verdict {
        let Some(tries) = self.tries.get(key).copied() else { return Verdict::Now };
        let beyond = tries.failures.checked_sub(self.free);
        let until = beyond.map(|beyond| tries.last + delay(beyond, self.delay_s_max));
        if let Some(wait) = until.and_then(|until| seconds_until(until, now)) {
            return Verdict::In(wait);
        }
        let is_one_too_many = tries.failures.saturating_add(tries.under_way) >= self.free;
        if tries.under_way > 0 && is_one_too_many { Verdict::WhenOthersEnd } else { Verdict::Now }
    }

    /// Begins a try.
    pub fn begin(&mut self, key: K, now: Timestamp) {
        let tries = self.tries.get_or_insert_mut(key, || Tries { failures: 0, last: now, under_way: 0 });
        tries.under_way = tries.under_way.saturating_add(1);
    }

    /// Ends a try.
    pub fn end(&mut self, key: K, outcome: Outcome, now: Timestamp) {
        if outcome == Outcome::Wrong {
            let tries = self.tries.get_or_insert_mut(key, || Tries { failures: 0, last: now, under_way: 0 });
            if now.duration_since(tries.last) > REMEMBERED {
                tries.failures = 0;
            }
            tries.failures = tries.failures.saturating_add(1);
            tries.last = now;
            tries.under_way = tries.under_way.saturating_sub(1);
            return;
        }
        if let Some(tries) = self.tries.get_mut(&key) {
            tries.under_way = tries.under_way.saturating_sub(1);
        }
        if outcome == Outcome::Right {
            self.forgive(&key);
        }
    }

    /// Forgives the failures of a key.
    pub fn forgive(&mut self, key: &K) {
        if let Some(tries) = self.tries.get_mut(key) {
            tries.failures = 0;
            if tries.under_way == 0 {
                self.tries.pop(key);
            }
        }
    }
}

/// One second, then twice as long each time.
fn delay(beyond: u32, delay_s_max: i64) -> SignedDuration {
    SignedDuration::from_secs(1_i64.checked_shl(beyond.min(20)).unwrap_or(delay_s_max).min(delay_s_max))
}

/// The seconds from now until a moment, of which the last counts as a whole one; none once it has come.
fn seconds_until(until: Timestamp, now: Timestamp) -> Option<u32> {
    let left = until.duration_since(now);
    let begun = i64::from(left.subsec_nanos() > 0);
    u32::try_from(left.as_secs() + begun).ok().filter(|left| *left > 0)
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

/// The failures of a key since its day began, and the tries whose outcome is not known yet.
#[derive(Clone, Copy, Debug)]
struct Day {
    began: Timestamp,
    failures: u32,
    under_way: u32,
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

    /// Says whether the next try may be made.
    pub fn verdict(&mut self, key: &K, now: Timestamp) -> Verdict {
        let Some(day) = self.days.get(key).copied() else { return Verdict::Now };
        let failures = if now < day.end() { day.failures } else { 0 };
        if failures >= self.failures_max
            && let Some(wait) = seconds_until(day.end(), now)
        {
            return Verdict::In(wait);
        }
        let is_full = failures.saturating_add(day.under_way) >= self.failures_max;
        if day.under_way > 0 && is_full { Verdict::WhenOthersEnd } else { Verdict::Now }
    }

    /// Begins a try.
    pub fn begin(&mut self, key: K, now: Timestamp) {
        let day = self.days.get_or_insert_mut(key, || Day { began: now, failures: 0, under_way: 0 });
        day.under_way = day.under_way.saturating_add(1);
    }

    /// Ends a try; one that was right forgives no other.
    pub fn end(&mut self, key: K, outcome: Outcome, now: Timestamp) {
        let day = self.days.get_or_insert_mut(key, || Day { began: now, failures: 0, under_way: 0 });
        day.under_way = day.under_way.saturating_sub(1);
        if outcome != Outcome::Wrong {
            return;
        }
        // A day begins with the first failure.
        if day.failures == 0 || now >= day.end() {
            *day = Day { began: now, failures: 0, under_way: day.under_way };
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
        assert_eq!(waits, [1, 2, 4, 8, 16, 32, 64, 128, 256, 512, 900, 900].map(Verdict::In));
        assert_eq!(throttle.verdict(&"ada", at(10 + 900)), Verdict::Now);
        assert_eq!(throttle.verdict(&"bob", at(10)), Verdict::Now);
    }

    #[test]
    fn tries_under_way_count_until_their_outcome_is_known() {
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
        assert_eq!(throttle.verdict(&"here", at(0)), Verdict::In(1));
        // Once the delay is over one try is made, and the next waits for its outcome.
        assert_eq!(throttle.verdict(&"here", at(1)), Verdict::Now);
        throttle.begin("here", at(1));
        assert_eq!(throttle.verdict(&"here", at(1)), Verdict::WhenOthersEnd);
        throttle.begin("here", at(1));
        throttle.end("here", Outcome::Right, at(1));
        assert_eq!(throttle.verdict(&"here", at(1)), Verdict::Now, "one is under way, and none failed");
    }

    #[test]
    fn a_bound_ends_a_day_after_the_first_failure_however_many_follow() {
        let mut bound = DailyBound::new(2);
        bound.end("code", Outcome::Wrong, at(0));
        assert_eq!(bound.verdict(&"code", at(0)), Verdict::Now);
        bound.begin("code", at(9));
        assert_eq!(bound.verdict(&"code", at(9)), Verdict::WhenOthersEnd);
        bound.end("code", Outcome::Wrong, at(10));
        assert_eq!(bound.verdict(&"code", at(10)), Verdict::In(24 * 3600 - 10));
        bound.begin("code", at(20));
        bound.end("code", Outcome::Right, at(20));
        assert_eq!(bound.verdict(&"code", at(24 * 3600 - 1)), Verdict::In(1));
        assert_eq!(bound.verdict(&"code", at(24 * 3600)), Verdict::Now);
        bound.end("code", Outcome::Wrong, at(24 * 3600));
        assert_eq!(bound.verdict(&"code", at(24 * 3600)), Verdict::Now);
        assert_eq!(bound.verdict(&"other", at(20)), Verdict::Now);
    }

    #[test]
    fn success_and_a_day_forgive() {
        let mut throttle = Throttle::new(1, DELAY_S_MAX);
        fail(&mut throttle, "ada", at(0));
        fail(&mut throttle, "ada", at(0));
        assert!(matches!(throttle.verdict(&"ada", at(0)), Verdict::In(_)));
        fail(&mut throttle, "ada", at(25 * 3600));
        assert_eq!(throttle.verdict(&"ada", at(25 * 3600)), Verdict::In(1));
        throttle.end("ada", Outcome::Right, at(25 * 3600));
        assert_eq!(throttle.verdict(&"ada", at(25 * 3600)), Verdict::Now);
    }
}
