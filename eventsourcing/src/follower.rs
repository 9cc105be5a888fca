//! A follower: the loop of everything that reads the log as it grows, as a step function.
//!
//! What always holds: one read is under way at a time, and is never asked for again while it is; no timer
//! wakes the loop before the follower is live; a read that failed is asked for again after a wait that grows
//! with every failure, with jitter, for as long as it takes. An outage that lasts, and an engine that has
//! stopped or is damaged, is told apart from a short one.

use jiff::{SignedDuration, Timestamp};

use crate::id::Position;
use crate::retry::{LONGEST_WAIT, wait_after};
use crate::store::StoreError;

/// The time that reads may fail, one after another, before the follower counts as failing.
pub const SHORT_OUTAGE_MAX: SignedDuration = SignedDuration::from_secs(10);

/// The standing of a follower.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It reads what was in the log when it started.
    CatchingUp,
    /// It has read that, and follows what is appended.
    Live,
    /// It is live, and its reads have failed for a short time.
    Interrupted,
    /// Its reads have failed for long, or the engine said that it won't answer again.
    Failing,
}

/// A follower of the log.
#[derive(Clone, Debug)]
pub struct Follower {
    name: &'static str,
    position: Position,
    /// The end of the log when the follower started: from there on it is live.
    live_from: Position,
    is_reading: bool,
    failures: u32,
    failing_since: Option<Timestamp>,
    retry_at: Option<Timestamp>,
    is_engine_dead: bool,
}

impl Follower {
    /// A follower that has read up to a position, of a log that ends at another.
    pub fn new(name: &'static str, position: Position, live_from: Position) -> Self {
        Self {
            name,
            position,
            live_from,
            is_reading: false,
            failures: 0,
            failing_since: None,
            retry_at: None,
            is_engine_dead: false,
        }
    }

    /// The position that it has read up to.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns true once the follower has read what was in the log when it started.
    pub fn is_live(&self) -> bool {
        self.position >= self.live_from
    }

    /// The position behind which a page is to be read now, and then told to [`Follower::on_page`] or
    /// [`Follower::on_failure`]; none while a read is under way or has just failed.
    pub fn begin_read(&mut self, now: Timestamp) -> Option<Position> {
        // A clock that was set back makes no wait longer than the longest.
        let too_far = now.saturating_add(LONGEST_WAIT * 2).unwrap_or(Timestamp::MAX);
        let has_to_wait = self.retry_at.is_some_and(|at| at > now && at <= too_far);
        if self.is_reading || has_to_wait {
            return None;
        }
        self.is_reading = true;
        Some(self.position)
    }

    /// The read returned, and its page was taken in.
    pub fn on_page(&mut self, reached: Position) {
        self.is_reading = false;
        self.position = self.position.max(reached);
        self.failures = 0;
        self.failing_since = None;
        self.retry_at = None;
        self.is_engine_dead = false;
    }

    /// The read failed. Returns whether this is the first failure, which is worth a line in the log.
    pub fn on_failure(&mut self, error: &StoreError, now: Timestamp) -> bool {
        self.is_reading = false;
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.is_engine_dead = !matches!(error, StoreError::Unavailable(_));
        let wait = wait_after(self.failures, self.name.as_bytes());
        self.retry_at = Some(now.saturating_add(wait).unwrap_or(Timestamp::MAX));
        self.failures == 1
    }

    /// Returns the time at which the loop has to wake, should nothing happen before: for the next attempt to
    /// read, or, once the follower is live, for a timer.
    pub fn wakes_at(&self, timer: Option<Timestamp>) -> Option<Timestamp> {
        let timer = timer.filter(|_| self.is_live());
        let retry = self.retry_at.filter(|_| !self.is_reading);
        timer.into_iter().chain(retry).min()
    }

    /// The condition now.
    pub fn standing(&self, now: Timestamp) -> Standing {
        match self.failing_since {
            None if self.is_live() => Standing::Live,
            None => Standing::CatchingUp,
            Some(_) if self.is_engine_dead => Standing::Failing,
            Some(since) if now.duration_since(since) > SHORT_OUTAGE_MAX => Standing::Failing,
            Some(_) if !self.is_live() => Standing::CatchingUp,
            Some(_) => Standing::Interrupted,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::noon;

    fn unavailable() -> StoreError {
        StoreError::Unavailable("it restarts".into())
    }

    fn seconds(n: i64) -> Timestamp {
        noon() + SignedDuration::from_secs(n)
    }

    #[test]
    fn one_read_is_under_way_at_a_time() {
        let mut follower = Follower::new("x", Position(3), Position(9));
        assert_eq!(follower.begin_read(noon()), Some(Position(3)));
        assert_eq!(follower.begin_read(seconds(100)), None);
        follower.on_page(Position(7));
        assert_eq!(follower.begin_read(noon()), Some(Position(7)));
    }

    #[test]
    fn an_overdue_timer_does_not_wake_a_follower_before_it_is_live() {
        let mut follower = Follower::new("x", Position(3), Position(9));
        let overdue = Some(seconds(-60));
        follower.begin_read(noon());
        assert_eq!(follower.wakes_at(overdue), None);
        follower.on_page(Position(8));
        assert_eq!(follower.wakes_at(overdue), None);
        follower.begin_read(noon());
        follower.on_page(Position(9));
        assert_eq!(follower.wakes_at(overdue), overdue);
    }

    #[test]
    fn a_read_that_failed_is_asked_for_again_later_and_later() {
        let mut follower = Follower::new("x", Position::START, Position::START);
        let (mut now, mut waits) = (noon(), Vec::new());
        for n in 0..12 {
            assert_eq!(follower.begin_read(now), Some(Position::START));
            assert_eq!(follower.on_failure(&unavailable(), now), n == 0);
            assert_eq!(follower.begin_read(now), None);
            let at = follower.wakes_at(None).unwrap();
            waits.push(at.duration_since(now));
            now = at;
        }
        assert!(waits[11] > waits[0] * 50 && waits[11] < SignedDuration::from_secs(40), "{waits:?}");
        follower.begin_read(now);
        follower.on_page(Position(1));
        assert_eq!((follower.standing(now), follower.wakes_at(None)), (Standing::Live, None));
    }

    #[test]
    fn a_clock_that_was_set_back_keeps_no_read_waiting() {
        let mut follower = Follower::new("x", Position::START, Position::START);
        follower.begin_read(noon());
        follower.on_failure(&unavailable(), noon());
        assert_eq!(follower.begin_read(seconds(-3_600)), Some(Position::START));
    }

    #[test]
    fn a_short_outage_is_told_from_a_long_one_and_from_an_engine_that_has_stopped() {
        let mut follower = Follower::new("x", Position::START, Position(1));
        assert_eq!(follower.standing(noon()), Standing::CatchingUp);
        follower.begin_read(noon());
        follower.on_failure(&unavailable(), noon());
        assert_eq!(
            follower.standing(seconds(9)),
            Standing::CatchingUp,
            "what has not caught up is not ready"
        );
        follower.on_page(Position(1));
        follower.on_failure(&unavailable(), noon());
        assert_eq!(follower.standing(seconds(9)), Standing::Interrupted);
        assert_eq!(follower.standing(seconds(11)), Standing::Failing);
        for dead in [StoreError::Stopped("a sync failed".into()), StoreError::Damaged("a hole".into())] {
            let mut follower = Follower::new("x", Position::START, Position::START);
            follower.begin_read(noon());
            follower.on_failure(&dead, noon());
            assert_eq!(follower.standing(noon()), Standing::Failing);
        }
    }
}
