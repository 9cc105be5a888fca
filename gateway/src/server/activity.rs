//! Activity of a connection, which tells when it is idle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::shares::Share;

/// Bytes of an unfinished head that take no room: those of the first buffer, which every connection has.
const HEAD_BYTES_FREE: usize = 8 * 1024;

/// Requests of one connection. Frames that ask for nothing, such as pings, are no activity.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    requests: usize,
    has_asked: bool,
    is_writing: bool,
    last: Instant,
    /// Bytes that came since the last request began, and their room.
    unfinished_bytes: usize,
    unfinished: Share,
}

/// A request under way, until its answer is taken.
#[derive(Debug)]
pub(super) struct UnderWay(Arc<Activity>);

impl Activity {
    /// A connection that has asked nothing yet. `unfinished` is the room of its heads that are not whole, of which it
    /// holds nothing yet.
    pub(super) fn new(unfinished: Share) -> Arc<Self> {
        let state = State {
            requests: 0,
            has_asked: false,
            is_writing: false,
            last: Instant::now(),
            unfinished_bytes: 0,
            unfinished,
        };
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
            state.unfinished_bytes = 0;
            state.unfinished.clear();
        });
        UnderWay(Arc::clone(self))
    }

    /// Notes bytes that came over HTTP/1.1. Without a request under way they are of a head that is not whole: false when
    /// there is no room for it.
    pub(super) fn read(&self, bytes: usize) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.requests > 0 {
            return true;
        }
        state.unfinished_bytes += bytes;
        let more = state.unfinished_bytes.saturating_sub(HEAD_BYTES_FREE + state.unfinished.amount());
        more == 0 || state.unfinished.grow(more)
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
    use crate::shares::Shares;

    #[tokio::test]
    async fn a_head_that_is_not_whole_takes_room_until_its_request_begins() {
        let heads = Shares::new(32 * 1024);
        let connection = || Activity::new(heads.nothing("192.0.2.1".parse().ok()));
        let first = connection();
        assert!(first.read(HEAD_BYTES_FREE) && heads.held() == 0);
        assert!(first.read(10_000) && heads.held() == 10_000);
        let second = connection();
        assert!(!second.read(20_000), "one client has half at most");
        let request = first.begin();
        assert!(heads.held() == 0 && first.read(1 << 20), "bytes of a body take no room here");
        drop(request);
        assert!(second.read(4_000) && heads.held() > 0);
        drop(second);
        assert_eq!(heads.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_is_idle_some_time_after_its_last_request_and_not_during_one() {
        let began = Instant::now();
        let activity = Activity::new(Shares::new(0).nothing(None));
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
