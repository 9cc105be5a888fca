//! Follower: the step function of a loop that reads the log as it grows.
//!
//! Invariants: at most one read runs at a time. No timer wakes the loop before the follower is live.
//!
//! On failure: a failed read is retried without a limit on attempts. The wait grows with every failure and
//! includes jitter ([`crate::retry`]). The follower reports [`FollowerState::Failing`] if reads have failed
//! for more than [`SHORT_OUTAGE_MAX`], or if the engine has stopped or is damaged.

use jiff::{SignedDuration, Timestamp};

use crate::id::Position;
use crate::retry::{LONGEST_WAIT, wait_after};
use crate::store::StoreError;

/// Longest time for which reads may fail before the follower counts as failing.
pub const SHORT_OUTAGE_MAX: SignedDuration = SignedDuration::from_secs(10);

/// Condition of a follower, as the health check reports it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FollowerState {
    /// The follower reads the events that were in the log when it started.
    CatchingUp,
    /// The follower has read these events, and reads new ones as they are appended.
    Live,
    /// The follower is live, and its reads have failed for at most [`SHORT_OUTAGE_MAX`].
    Interrupted,
    /// Reads have failed for longer, or the engine has stopped or is damaged.
    Failing,
}

/// Reader that follows the log: its position, and the state of its reads.
#[derive(Clone, Debug)]
pub struct Follower {
    name: &'static str,
    position: Position,
    /// Head of the log when the follower started. The follower is live once it has read up to here.
    live_from: Position,
    is_reading: bool,
    failures: u32,
    failing_since: Option<Timestamp>,
    retry_at: Option<Timestamp>,
    is_engine_unusable: bool,
}

impl Follower {
    /// Makes a follower that has read up to `position`. `live_from` is the current head of the log.
    pub fn new(name: &'static str, position: Position, live_from: Position) -> Self {
        Self {
            name,
            position,
            live_from,
            is_reading: false,
            failures: 0,
            failing_since: None,
            retry_at: None,
            is_engine_unusable: false,
        }
    }

    /// Position up to which the follower has read the log.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Returns true once the follower has read all events that were in the log when it started.
    pub fn is_live(&self) -> bool {
        self.position >= self.live_from
    }

    /// Starts a read: returns the position after which the driver must read a page now. Returns `None` while
    /// a read is running, or during the wait after a failed read. The driver reports the result to
    /// [`Follower::on_page`] or [`Follower::on_failure`].
    pub fn begin_read(&mut self, now: Timestamp) -> Option<Position> {
        // After a clock is set back, a retry time may lie too far in the future; it is then ignored.
        let too_far = now.saturating_add(LONGEST_WAIT * 2).unwrap_or(Timestamp::MAX);
        let has_to_wait = self.retry_at.is_some_and(|at| at > now && at <= too_far);
        if self.is_reading || has_to_wait {
            return None;
        }
        self.is_reading = true;
        Some(self.position)
    }

    /// Records a successful read up to position `reached`, after its page was processed.
    pub fn on_page(&mut self, reached: Position) {
        self.is_reading = false;
        self.position = self.position.max(reached);
        self.failures = 0;
        self.failing_since = None;
        self.retry_at = None;
        self.is_engine_unusable = false;
    }

    /// Records a failed read. Returns true for the first failure after a successful read, so that the driver
    /// logs only this one.
    pub fn on_failure(&mut self, error: &StoreError, now: Timestamp) -> bool {
        self.is_reading = false;
        self.failures = self.failures.saturating_add(1);
        self.failing_since.get_or_insert(now);
        self.is_engine_unusable = !matches!(error, StoreError::Unavailable(_));
        let wait = wait_after(self.failures, self.name.as_bytes());
        self.retry_at = Some(now.saturating_add(wait).unwrap_or(Timestamp::MAX));
        self.failures == 1
    }

    /// Returns the time at which the loop must wake even if nothing else happens: the time of the next retry
    /// or of `timer`, whichever is earlier. `timer` counts only if the follower is live.
    pub fn wakes_at(&self, timer: Option<Timestamp>) -> Option<Timestamp> {
        let timer = timer.filter(|_| self.is_live());
        let retry = self.retry_at.filter(|_| !self.is_reading);
        timer.into_iter().chain(retry).min()
    }

    /// Returns the condition of the follower at time `now`.
    pub fn state(&self, now: Timestamp) -> FollowerState {
        match self.failing_since {
            None if self.is_live() => FollowerState::Live,
            None => FollowerState::CatchingUp,
            Some(_) if self.is_engine_unusable => FollowerState::Failing,
            Some(since) if now.duration_since(since) > SHORT_OUTAGE_MAX => FollowerState::Failing,
            Some(_) if !self.is_live() => FollowerState::CatchingUp,
            Some(_) => FollowerState::Interrupted,
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

    fn at_second(n: i64) -> Timestamp {
        noon() + SignedDuration::from_secs(n)
    }

    #[test]
    fn only_one_read_runs_at_a_time() {
        let mut follower = Follower::new("x", Position(3), Position(9));
        assert_eq!(follower.begin_read(noon()), Some(Position(3)));
        assert_eq!(follower.begin_read(at_second(100)), None);
        follower.on_page(Position(7));
        assert_eq!(follower.begin_read(noon()), Some(Position(7)));
    }

    #[test]
    fn an_overdue_timer_does_not_wake_a_follower_before_it_is_live() {
        let mut follower = Follower::new("x", Position(3), Position(9));
        let overdue = Some(at_second(-60));
        follower.begin_read(noon());
        assert_eq!(follower.wakes_at(overdue), None);
        follower.on_page(Position(8));
        assert_eq!(follower.wakes_at(overdue), None);
        follower.begin_read(noon());
        follower.on_page(Position(9));
        assert_eq!(follower.wakes_at(overdue), overdue);
    }

    #[test]
    fn the_wait_before_a_retry_grows_with_each_failed_read() {
        let mut follower = Follower::new("x", Position::START, Position::START);
        let mut now = noon();
        let mut waits = Vec::new();
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
        assert_eq!((follower.state(now), follower.wakes_at(None)), (FollowerState::Live, None));
    }

    #[test]
    fn setting_the_clock_back_does_not_delay_a_read() {
        let mut follower = Follower::new("x", Position::START, Position::START);
        follower.begin_read(noon());
        follower.on_failure(&unavailable(), noon());
        assert_eq!(follower.begin_read(at_second(-3_600)), Some(Position::START));
    }

    #[test]
    fn a_short_outage_is_an_interruption_and_a_long_one_or_a_stopped_engine_is_a_failure() {
        let mut follower = Follower::new("x", Position::START, Position(1));
        assert_eq!(follower.state(noon()), FollowerState::CatchingUp);
        follower.begin_read(noon());
        follower.on_failure(&unavailable(), noon());
        assert_eq!(
            follower.state(at_second(9)),
            FollowerState::CatchingUp,
            "a follower that has not caught up is not ready"
        );
        follower.on_page(Position(1));
        follower.on_failure(&unavailable(), noon());
        assert_eq!(follower.state(at_second(9)), FollowerState::Interrupted);
        assert_eq!(follower.state(at_second(11)), FollowerState::Failing);
        for error in [StoreError::Stopped("a sync failed".into()), StoreError::Damaged("a hole".into())] {
            let mut follower = Follower::new("x", Position::START, Position::START);
            follower.begin_read(noon());
            follower.on_failure(&error, noon());
            assert_eq!(follower.state(noon()), FollowerState::Failing);
        }
    }
}
