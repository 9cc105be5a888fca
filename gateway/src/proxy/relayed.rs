//! Relay of a response body: it is read at the speed of the upstream, and sent at the speed of the client.
//!
//! A task reads ahead while there is room for waiting bytes ([`super::places`]). Most responses are read
//! completely this way, so their place is free before the client has read a byte. When there is no more room,
//! the response continues at the speed of the client. It then keeps its place, and is cut off if places run
//! short and its client does not read.
//!
//! *Invariant:* a response that is complete or cut off has no place, and every buffered byte has room in the
//! budget.

use std::collections::VecDeque;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use axum::body::Bytes;
use http_body_util::BodyExt as _;
use hyper::body::{Body as _, Frame, Incoming, SizeHint};
use souk_http_client::BUFFER_BYTES_MAX;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until, timeout_at};

use super::places::{HeldPermits, ShareUse};

/// Overhead of a piece, in bytes. It is counted so that many small pieces are limited too.
const PIECE_COST_BYTES: usize = 256;
/// Time after which a complete but unread response is dropped.
const UNREAD_MAX: Duration = Duration::from_secs(60);

/// Error: a body ended too early.
#[derive(Debug, thiserror::Error)]
#[error("the body was cut off")]
pub(super) struct CutOff;

/// Source of the next piece of a response, after the buffered pieces.
enum Source {
    /// The task that reads ahead.
    ReadAhead,
    /// The upstream. The client reads from it directly.
    Upstream(Incoming),
    /// None: the response is complete.
    Complete,
    /// None: the upstream failed, or the response was cut off.
    Cut,
}

struct State {
    /// Pieces that wait for the client, with their room.
    buffered: VecDeque<(Frame<Bytes>, HeldPermits)>,
    source: Source,
    /// Place of the request. `None` after the upstream has delivered the response.
    place: Option<HeldPermits>,
    waker: Option<Waker>,
    started: Instant,
    /// Time at which the client last took a piece.
    read_at: Instant,
    /// Total time that the client has waited for the upstream.
    waited: Duration,
    /// Start of the current wait for the upstream. `None` if the client is not waiting.
    waiting_since: Option<Instant>,
    /// Called once if the upstream fails or takes too long.
    on_failure: Option<Box<dyn FnOnce() + Send>>,
}

/// Response that its client has not read completely.
pub(super) struct PendingResponse(Mutex<State>);

/// Body of a relayed response, as the client gets it.
pub(super) struct RelayedBody {
    response: Arc<PendingResponse>,
    size: SizeHint,
    /// Dropped with the body, which ends the task that reads ahead.
    _alive: oneshot::Sender<()>,
}

impl RelayedBody {
    /// Creates the body of a response that the upstream must deliver until `end`. Frees the place when the
    /// upstream has delivered it, even if the client has not read it. Calls `on_failure` if the upstream is
    /// the reason that the response is incomplete.
    pub(super) fn new(
        body: Incoming,
        end: Instant,
        on_failure: impl FnOnce() + Send + 'static,
        share: ShareUse,
        place: HeldPermits,
    ) -> Self {
        let size = body.size_hint();
        let now = Instant::now();
        let is_complete = body.is_end_stream();
        let response = Arc::new(PendingResponse(Mutex::new(State {
            buffered: VecDeque::new(),
            source: if is_complete { Source::Complete } else { Source::ReadAhead },
            place: Some(place).filter(|_| !is_complete),
            waker: None,
            started: now,
            read_at: now,
            waited: Duration::ZERO,
            waiting_since: None,
            on_failure: Some(Box::new(on_failure)),
        })));
        let (alive, dropped) = oneshot::channel();
        if !is_complete {
            let reader = ReadAhead { response: Arc::clone(&response), share, end };
            tokio::spawn(async move {
                tokio::select! {
                    () = reader.run(body) => {}
                    // The client's body was dropped, so the rest is not needed.
                    _ = dropped => reader.response.cut(),
                }
            });
        }
        Self { response, size, _alive: alive }
    }
}

impl PendingResponse {
    /// Locks the state. It is consistent at every moment, so it stays usable after a panic of another thread.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the time since which the client has read nothing, or `None` if the client waits for the
    /// upstream or the response has no place.
    pub(super) fn unread_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.waiting_since.is_none() && state.place.is_some()).then_some(state.read_at)
    }

    /// Drops the unread rest of the response, and frees the place.
    pub(super) fn cut(&self) {
        self.state().end(Source::Cut);
    }
}

impl State {
    fn end(&mut self, source: Source) {
        if matches!(source, Source::Cut) {
            self.buffered.clear();
        }
        self.place = None;
        self.set_source(source);
    }

    /// Sets the source of the next piece, and wakes the client's body.
    fn set_source(&mut self, source: Source) {
        self.source = source;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Ends a response whose upstream failed. The client still gets the buffered pieces.
    fn fail(&mut self) {
        if let Some(on_failure) = self.on_failure.take() {
            on_failure();
        }
        self.place = None;
        self.set_source(Source::Cut);
    }

    /// Records that the client took a piece.
    fn piece_taken(&mut self) {
        let now = Instant::now();
        self.waited += self.waiting_since.take().map_or(Duration::ZERO, |since| now.duration_since(since));
        self.read_at = now;
    }

    /// Returns the next piece: a buffered one, or one of the upstream.
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        if let Some((frame, _)) = self.buffered.pop_front() {
            self.piece_taken();
            return Poll::Ready(Some(Ok(frame)));
        }
        let polled = match &mut self.source {
            Source::ReadAhead => Poll::Pending,
            Source::Upstream(body) => Pin::new(body).poll_frame(context),
            Source::Complete => return Poll::Ready(None),
            Source::Cut => return Poll::Ready(Some(Err(CutOff))),
        };
        match polled {
            Poll::Pending => {
                self.waiting_since.get_or_insert_with(Instant::now);
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.piece_taken();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => {
                self.fail();
                Poll::Ready(Some(Err(CutOff)))
            }
            Poll::Ready(None) => {
                self.end(Source::Complete);
                Poll::Ready(None)
            }
        }
    }
}

/// Task that reads a response ahead, and ends it at `end` at the latest.
struct ReadAhead {
    response: Arc<PendingResponse>,
    share: ShareUse,
    end: Instant,
}

impl ReadAhead {
    async fn run(&self, body: Incoming) {
        match self.read(body).await {
            Some(body) => self.watch(body).await,
            None => self.drop_unread().await,
        }
    }

    /// Reads while there is room. Returns the body when there is no more room, or `None` when the response
    /// has ended.
    async fn read(&self, mut body: Incoming) -> Option<Incoming> {
        loop {
            // Room is taken before a piece is read, because a piece that was read must be stored.
            let left = body.size_hint().exact().and_then(|left| usize::try_from(left).ok());
            let piece_max = left.map_or(BUFFER_BYTES_MAX, |left| left.min(BUFFER_BYTES_MAX));
            let Some(mut room) = self.share.bytes(piece_max + PIECE_COST_BYTES) else { return Some(body) };
            match timeout_at(self.end, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    // The frame refers to the connection's buffer. A copy lets that buffer be freed.
                    let frame = frame.map_data(|data| Bytes::copy_from_slice(&data));
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    room.keep(length + PIECE_COST_BYTES);
                    let mut state = self.response.state();
                    state.buffered.push_back((frame, room));
                    state.set_source(Source::ReadAhead);
                }
                Ok(None) => {
                    self.response.state().end(Source::Complete);
                    return None;
                }
                Ok(Some(Err(_))) | Err(_) => {
                    self.response.state().fail();
                    return None;
                }
            }
        }
    }

    /// Lets the client read directly from the upstream, and cuts the response off at `end`. This counts as a
    /// failure of the upstream if the client was waiting for the upstream for at least half of the time.
    async fn watch(&self, body: Incoming) {
        let _candidate = self.share.list_for_cutting(&self.response);
        self.response.state().set_source(Source::Upstream(body));
        sleep_until(self.end).await;
        let mut state = self.response.state();
        if matches!(state.source, Source::Upstream(_)) {
            let now = Instant::now();
            let wait = state.waiting_since.map_or(Duration::ZERO, |since| now.duration_since(since));
            if (state.waited + wait) * 2 >= now.duration_since(state.started) {
                state.fail();
            } else {
                state.end(Source::Cut);
            }
        }
    }

    /// Drops a complete response when the client has not read it for [`UNREAD_MAX`].
    async fn drop_unread(&self) {
        loop {
            let end = self.response.state().read_at + UNREAD_MAX;
            if end <= Instant::now() {
                return self.response.cut();
            }
            sleep_until(end).await;
        }
    }
}

impl hyper::body::Body for RelayedBody {
    type Data = Bytes;
    type Error = CutOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, CutOff>>> {
        let polled = self.response.state().next(context);
        if let (Poll::Ready(Some(Ok(frame))), Some(left)) = (&polled, self.size.exact()) {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.size = SizeHint::with_exact(left.saturating_sub(length));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.response.state();
        state.buffered.is_empty() && matches!(state.source, Source::Complete)
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
