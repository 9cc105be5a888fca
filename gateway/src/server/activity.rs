//! Activity of a connection: its running requests, incomplete head and waiting write. It decides when the
//! connection is idle.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::shares::Share;

/// Number of bytes of an incomplete head that are not counted: the first buffer, which every connection has.
const HEAD_BYTES_FREE: usize = 8 * 1024;

/// Activity of one connection. Frames without a request, such as pings, are not activity.
#[derive(Debug)]
pub(super) struct Activity(Mutex<State>);

#[derive(Debug)]
struct State {
    requests: usize,
    had_request: bool,
    is_writing: bool,
    last: Instant,
    /// Number of bytes received since the last request began.
    unfinished_bytes: usize,
    /// Room of these bytes.
    unfinished: Share,
}

/// A running request. It ends when this is dropped, together with the body of the response.
#[derive(Debug)]
pub(super) struct RunningRequest(Arc<Activity>);

impl Activity {
    /// Creates the activity of a connection without requests. `unfinished` is an empty share of the room for
    /// incomplete heads.
    pub(super) fn new(unfinished: Share) -> Arc<Self> {
        let state = State {
            requests: 0,
            had_request: false,
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
    pub(super) fn begin(self: &Arc<Self>) -> RunningRequest {
        self.change(|state| {
            state.requests += 1;
            state.had_request = true;
            state.unfinished_bytes = 0;
            state.unfinished.clear();
        });
        RunningRequest(Arc::clone(self))
    }

    /// Counts bytes received over HTTP/1.1. If no request is running, they belong to an incomplete head.
    /// Returns false if there is no room for that head.
    pub(super) fn read(&self, bytes: usize) -> bool {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.requests > 0 {
            return true;
        }
        state.unfinished_bytes += bytes;
        let more = state.unfinished_bytes.saturating_sub(HEAD_BYTES_FREE + state.unfinished.amount());
        more == 0 || state.unfinished.grow(more)
    }

    /// Records whether a write waits for the client. While it waits, the limit for unread responses applies
    /// instead of the idle time.
    pub(super) fn writes(&self, is_waiting: bool) {
        self.change(|state| {
            if state.is_writing || is_waiting {
                state.is_writing = is_waiting;
                state.last = Instant::now();
            }
        });
    }

    /// Returns the time until the connection is idle if nothing happens, or `None` if it is idle now.
    fn time_left(&self, first_max: Duration, idle_max: Duration) -> Option<Duration> {
        let state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let allowed = if state.had_request { idle_max } else { first_max };
        if state.requests > 0 || state.is_writing {
            return Some(allowed);
        }
        let left = allowed.saturating_sub(state.last.elapsed());
        (!left.is_zero()).then_some(left)
    }

    /// Waits until the connection is idle: it had no first request within `first_max`, or no further one for
    /// `idle_max`.
    pub(super) async fn until_idle(&self, first_max: Duration, idle_max: Duration) {
        while let Some(left) = self.time_left(first_max, idle_max) {
            tokio::time::sleep(left).await;
        }
    }
}

impl Drop for RunningRequest {
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
    async fn an_incomplete_head_takes_room_until_its_request_begins() {
        let heads = Shares::new(32 * 1024);
        let connection = || Activity::new(heads.empty_share("192.0.2.1".parse().ok()));
        let first = connection();
        assert!(first.read(HEAD_BYTES_FREE) && heads.held() == 0);
        assert!(first.read(10_000) && heads.held() == 10_000);
        let second = connection();
        assert!(!second.read(20_000), "one client can have at most half");
        let request = first.begin();
        assert!(heads.held() == 0 && first.read(1 << 20), "bytes of a body are not counted here");
        drop(request);
        assert!(second.read(4_000) && heads.held() > 0);
        drop(second);
        assert_eq!(heads.held(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn a_connection_becomes_idle_some_time_after_its_last_request() {
        let began = Instant::now();
        let activity = Activity::new(Shares::new(0).empty_share(None));
        let idle = async || activity.until_idle(Duration::from_secs(10), Duration::from_secs(30)).await;
        idle().await;
        assert_eq!(began.elapsed().as_secs(), 10, "there was no request");
        let request = activity.begin();
        let early = tokio::time::timeout(Duration::from_secs(600), idle()).await;
        assert!(early.is_err(), "a request is running");
        drop(request);
        let began = Instant::now();
        idle().await;
        assert_eq!(began.elapsed().as_secs(), 30);
    }
}
