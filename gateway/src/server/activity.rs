//! Activity of a connection, which tells when it is idle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// Requests of one connection. Frames that ask for nothing, such as pings, are no activity.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    requests: usize,
    has_asked: bool,
    is_writing: bool,
    last: Instant,
}

/// A request under way, until its answer is taken.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

impl Activity {
    pub(super) fn new() -> Arc<Self> {
        let state = State { requests: 0, has_asked: false, is_writing: false, last: Instant::now() };
        Arc::new(Self(Mutex::new(state)))
    }

    fn change(&self, change: impl FnOnce(&mut State)) {
        change(&mut self.0.lock().unwrap_or_else(PoisonError::into_inner));
    }

    /// Begins a request.
    pub(super) fn begin(self: &Arc<Self>) -> UnderWay {
        self.change(|state| {
            state.requests += 1;
            state.has_asked = true;
        });
        UnderWay(Arc::clone(self))
    }

    /// Notes whether a write waits for the client: then the time for writing counts, not that of idleness.
    pub(super) fn writes(&self, is_waiting: bool) {
        self.change(|state| {
            if state.is_writing || is_waiting {
                state.is_writing = is_waiting;
                state.last = Instant::now();
            }
        });
    }

    /// The time until the connection counts as idle, if nothing happens; none when it does.
    fn time_left(&self, first_max: Duration, idle_max: Duration) -> Option<Duration> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = if state.has_asked { idle_max } else { first_max };
        if state.requests > 0 || state.is_writing {
            return Some(allowed);
        }
        let left = allowed.saturating_sub(state.last.elapsed());
        (!left.is_zero()).then_some(left)
    }

    /// Returns when the connection is idle: no first request within `first_max`, or none for `idle_max`.
    pub(super) async fn is_idle(&self, first_max: Duration, idle_max: Duration) {
        while let Some(left) = self.time_left(first_max, idle_max) {
            tokio::time::sleep(left).await;
        }
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.change(|state| {
            state.requests -= 1;
            state.last = Instant::now();
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_some_time_after_its_last_request_and_not_during_one() {
        let began = Instant::now();
        let activity = Activity::new();
        let idle = async || activity.is_idle(Duration::from_secs(10), Duration::from_secs(30)).await;
        idle().await;
        assert_eq!(began.elapsed().as_secs(), 10, "nothing was asked");
        let request = activity.begin();
        let early = tokio::time::timeout(Duration::from_secs(600), idle()).await;
        assert!(early.is_err(), "a request is under way");
        drop(request);
        let began = Instant::now();
        idle().await;
        assert_eq!(began.elapsed().as_secs(), 30);
    }
}
