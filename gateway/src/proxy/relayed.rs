//! The body of an answer on its way through: read from the upstream at the upstream's speed, handed to the client
//! at the client's.
//!
//! A task reads ahead while there is room for bytes that wait ([`super::places`]). Most answers are read whole so,
//! and their place is free before the client has read a byte. An answer for which there is no more room goes on at
//! the client's speed, has its place for so long, and is cut when places run short and its client does not read.
//! *Invariant:* an answer that is whole or cut has no place, and what is buffered has room in the budget.

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

use super::places::{Held, Visit};

/// The cost of a piece besides its bytes, in bytes, so that many small pieces have a limit too.
const PIECE_COST_BYTES: usize = 256;
/// An answer that is here whole and that nobody reads for this long is dropped.
const UNREAD_MAX: Duration = Duration::from_secs(60);

/// A body ends before its end.
#[derive(Debug, thiserror::Error)]
#[error("the body was cut off")]
pub(super) struct BrokenOff;

/// The source of the next piece of an answer, once those that wait are gone.
enum Source {
    /// From the task that reads ahead.
    Ahead,
    /// From the upstream, when the client asks for it.
    Upstream(Incoming),
    /// From nowhere: the answer is here whole.
    Whole,
    /// From nowhere: the answer broke off or was cut.
    Cut,
}

struct State {
    ahead: VecDeque<(Frame<Bytes>, Held)>,
    source: Source,
    /// The place of the request; none once the upstream has delivered.
    place: Option<Held>,
    waker: Option<Waker>,
    began: Instant,
    /// When the client last took a piece.
    read_at: Instant,
    /// For how long the upstream was waited for at the client's request, and since when it is.
    waited: Duration,
    waits_since: Option<Instant>,
    /// Called once when the upstream breaks off or takes too long.
    broken: Option<Box<dyn FnOnce() + Send>>,
}

/// An answer that its client has not read whole.
pub(super) struct Unread(Mutex<State>);

/// The body of an answer, as the client gets it.
pub(super) struct Relayed {
    unread: Arc<Unread>,
    size: SizeHint,
    /// Gone with the body: the task that reads ahead ends then.
    _read: oneshot::Sender<()>,
}

impl Relayed {
    /// The body of an answer that the upstream has to deliver until `end`. The place is freed when it has, also
    /// when nobody reads it. `broken` is called when the upstream is to blame for an answer that breaks off.
    pub(super) fn new(
        body: Incoming,
        end: Instant,
        broken: impl FnOnce() + Send + 'static,
        visit: Visit,
        place: Held,
    ) -> Self {
        let size = body.size_hint();
        let now = Instant::now();
        let is_whole = body.is_end_stream();
        let unread = Arc::new(Unread(Mutex::new(State {
            ahead: VecDeque::new(),
            source: if is_whole { Source::Whole } else { Source::Ahead },
            place: Some(place).filter(|_| !is_whole),
            waker: None,
            began: now,
            read_at: now,
            waited: Duration::ZERO,
            waits_since: None,
            broken: Some(Box::new(broken)),
        })));
        let (read, gone) = oneshot::channel();
        if !is_whole {
            let ahead = Ahead { unread: Arc::clone(&unread), visit, end };
            tokio::spawn(async move {
                tokio::select! {
                    () = ahead.run(body) => {}
                    // Nobody sends: the body is gone, and what it has is not needed.
                    _ = gone => ahead.unread.cut(),
                }
            });
        }
        Self { unread, size, _read: read }
    }
}

impl Unread {
    /// Locks the state, which is whole at every moment: a panic elsewhere leaves it usable.
    fn state(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Since when the client reads nothing; none while it waits for the upstream.
    pub(super) fn unread_since(&self) -> Option<Instant> {
        let state = self.state();
        (state.waits_since.is_none() && state.place.is_some()).then_some(state.read_at)
    }

    /// Drops what the client did not read, and frees the place.
    pub(super) fn cut(&self) {
        self.state().end(Source::Cut);
    }
}

impl State {
    fn end(&mut self, source: Source) {
        if matches!(source, Source::Cut) {
            self.ahead.clear();
        }
        self.place = None;
        self.go_on(source);
    }

    fn go_on(&mut self, source: Source) {
        self.source = source;
        if let Some(waker) = self.waker.take() {
            waker.wake();
        }
    }

    /// Ends an answer that its upstream broke off, behind what came of it.
    fn break_off(&mut self) {
        if let Some(broken) = self.broken.take() {
            broken();
        }
        self.place = None;
        self.go_on(Source::Cut);
    }

    fn came(&mut self) {
        let now = Instant::now();
        self.waited += self.waits_since.take().map_or(Duration::ZERO, |since| now.duration_since(since));
        self.read_at = now;
    }

    /// Takes the next piece of what waits, or asks the upstream for it.
    fn next(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some((frame, _)) = self.ahead.pop_front() {
            self.came();
            return Poll::Ready(Some(Ok(frame)));
        }
        let polled = match &mut self.source {
            Source::Ahead => Poll::Pending,
            Source::Upstream(body) => Pin::new(body).poll_frame(context),
            Source::Whole => return Poll::Ready(None),
            Source::Cut => return Poll::Ready(Some(Err(BrokenOff))),
        };
        match polled {
            Poll::Pending => {
                self.waits_since.get_or_insert_with(Instant::now);
                self.waker = Some(context.waker().clone());
                Poll::Pending
            }
            Poll::Ready(Some(Ok(frame))) => {
                self.came();
                Poll::Ready(Some(Ok(frame)))
            }
            Poll::Ready(Some(Err(_))) => {
                self.break_off();
                Poll::Ready(Some(Err(BrokenOff)))
            }
            Poll::Ready(None) => {
                self.end(Source::Whole);
                Poll::Ready(None)
            }
        }
    }
}

/// The task that reads an answer ahead, and sees to it that it ends in time.
struct Ahead {
    unread: Arc<Unread>,
    visit: Visit,
    end: Instant,
}

impl Ahead {
    async fn run(&self, body: Incoming) {
        match self.read(body).await {
            Some(body) => self.watch(body).await,
            None => self.drop_unread().await,
        }
    }

    /// Reads as much as there is room for. Returns the body when there is no more room.
    async fn read(&self, mut body: Incoming) -> Option<Incoming> {
        loop {
            // Room is taken before a piece is read: what is read has to be kept.
            let left = body.size_hint().exact().and_then(|left| usize::try_from(left).ok());
            let piece_max = left.map_or(BUFFER_BYTES_MAX, |left| left.min(BUFFER_BYTES_MAX));
            let Some(mut room) = self.visit.bytes(piece_max + PIECE_COST_BYTES) else { return Some(body) };
            match timeout_at(self.end, body.frame()).await {
                Ok(Some(Ok(frame))) => {
                    // A piece is a part of the connection's buffer and would keep all of it.
                    let frame = frame.map_data(|data| Bytes::copy_from_slice(&data));
                    let length = frame.data_ref().map_or(0, Bytes::len);
                    room.keep(length + PIECE_COST_BYTES);
                    let mut state = self.unread.state();
                    state.ahead.push_back((frame, room));
                    state.go_on(Source::Ahead);
                }
                Ok(None) => {
                    self.unread.state().end(Source::Whole);
                    return None;
                }
                Ok(Some(Err(_))) | Err(_) => {
                    self.unread.state().break_off();
                    return None;
                }
            }
        }
    }

    /// Hands the body to the client, and cuts it when its time is up. The upstream is to blame when it was waited
    /// for most of the time.
    async fn watch(&self, body: Incoming) {
        let _listed = self.visit.list(&self.unread);
        self.unread.state().go_on(Source::Upstream(body));
        sleep_until(self.end).await;
        let mut state = self.unread.state();
        if matches!(state.source, Source::Upstream(_)) {
            let now = Instant::now();
            let waits = state.waits_since.map_or(Duration::ZERO, |since| now.duration_since(since));
            if (state.waited + waits) * 2 >= now.duration_since(state.began) {
                state.break_off();
            } else {
                state.end(Source::Cut);
            }
        }
    }

    /// Drops an answer that is here and that nobody reads.
    async fn drop_unread(&self) {
        loop {
            let end = self.unread.state().read_at + UNREAD_MAX;
            if end <= Instant::now() {
                return self.unread.cut();
            }
            sleep_until(end).await;
        }
    }
}

impl hyper::body::Body for Relayed {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let polled = self.unread.state().next(context);
        if let (Poll::Ready(Some(Ok(frame))), Some(left)) = (&polled, self.size.exact()) {
            let length = frame.data_ref().map_or(0, Bytes::len) as u64;
            self.size = SizeHint::with_exact(left.saturating_sub(length));
        }
        polled
    }

    fn is_end_stream(&self) -> bool {
        let state = self.unread.state();
        state.ahead.is_empty() && matches!(state.source, Source::Whole)
    }

    fn size_hint(&self) -> SizeHint {
        self.size
    }
}
