//! Delivery of responses over HTTP/2. A stream whose client does not read is reset, and its response is
//! dropped.
//!
//! A connection can be active while the windows of single streams stay full, so every stream has a time
//! budget of its own. A response is sent in pieces, and its end only after each piece has left this process.
//! So the task of the stream runs until then, and [`Streams`] can end it when the client stops reading.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::activity::RunningRequest;
use super::wait_budget::WaitBudget;
use crate::shares::Shares;

/// Largest piece of a response, in bytes: the size of a frame.
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// Shortest time between two checks of a stream.
const CHECK_EVERY_MIN: Duration = Duration::from_millis(1);

tokio::task_local! {
    /// Delivery of the stream whose task runs.
    static DELIVERY: Arc<Delivery>;
}

/// Progress of the response of one stream.
#[derive(Debug)]
pub(super) struct Delivery(Mutex<State>);

#[derive(Debug)]
struct State {
    budget: WaitBudget,
    /// Number of pieces that have not left this process.
    pieces: usize,
    waker: Option<Waker>,
}

impl Delivery {
    fn new(wait_max: Duration) -> Self {
        Self(Mutex::new(State { budget: WaitBudget::new(wait_max), pieces: 0, waker: None }))
    }

    /// Returns the delivery of the stream whose task runs, or `None` over HTTP/1.1.
    pub(super) fn current() -> Option<Arc<Self>> {
        DELIVERY.try_with(Arc::clone).ok()
    }

    fn hand_out(self: &Arc<Self>, data: Bytes) -> Bytes {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.pieces += 1;
        state.budget.wait(Instant::now());
        Bytes::from_owner(Piece { data, delivery: Arc::clone(self) })
    }

    /// Records that a piece has left this process.
    fn piece_sent(&self, bytes: usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        state.budget.read(now, bytes);
        state.pieces -= 1;
        if state.pieces > 0 {
            state.budget.wait(now);
        } else if let Some(waker) = state.waker.take() {
            waker.wake();
        }
    }

    fn is_delivered(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).pieces == 0
    }

    fn poll_delivered(&self, context: &Context<'_>) -> Poll<()> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if state.pieces == 0 {
            return Poll::Ready(());
        }
        state.waker = Some(context.waker().clone());
        Poll::Pending
    }

    /// Waits until the client has left the response unread for too long.
    async fn until_stalled(&self) {
        loop {
            let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).budget.left(Instant::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.max(CHECK_EVERY_MIN)).await;
        }
    }
}

/// Piece of a response. Dropping it means that it has left this process.
struct Piece {
    data: Bytes,
    delivery: Arc<Delivery>,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Drop for Piece {
    fn drop(&mut self) {
        self.delivery.piece_sent(self.data.len());
    }
}

/// Executor of the streams of one HTTP/2 connection. Each stream runs until its response is delivered, or
/// until its client stops reading. The number of streams of all connections is limited. A stream beyond the
/// limit is reset before its request is handled.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    /// Longest time that a response waits for its client.
    pub(super) wait_max: Duration,
    /// Streams of all connections, shared among client addresses.
    pub(super) shares: Arc<Shares>,
    /// Client address that the streams count for. `None` for a trusted proxy.
    pub(super) client: Option<IpAddr>,
}

impl<F> hyper::rt::Executor<F> for Streams
where
    F: Future + Send + 'static,
    F::Output: Send,
{
    fn execute(&self, stream: F) {
        let Some(share) = self.shares.take(self.client, 1) else {
            metrics::counter!("souk_streams_cut_total", "why" => "full").increment(1);
            // Dropping the task resets the stream.
            return;
        };
        let delivery = Arc::new(Delivery::new(self.wait_max));
        tokio::spawn(async move {
            let watched = Arc::clone(&delivery);
            tokio::select! {
                _ = DELIVERY.scope(delivery, stream) => {}
                () = watched.until_stalled() => {
                    metrics::counter!("souk_streams_cut_total", "why" => "unread").increment(1);
                }
            }
            drop(share);
        });
    }
}

/// Body of a response that is being delivered.
pub(super) struct DeliveredBody {
    body: Body,
    delivery: Option<Arc<Delivery>>,
    /// Part of the body's last frame that is not sent yet.
    rest: Bytes,
    has_ended: bool,
    _request: RunningRequest,
}

impl DeliveredBody {
    pub(super) fn new(body: Body, delivery: Option<Arc<Delivery>>, request: RunningRequest) -> Self {
        let has_ended = hyper::body::Body::is_end_stream(&body);
        Self { body, delivery, rest: Bytes::new(), has_ended, _request: request }
    }
}

impl hyper::body::Body for DeliveredBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let Some(delivery) = self.delivery.clone() else {
            return Pin::new(&mut self.body).poll_frame(context);
        };
        loop {
            if !self.rest.is_empty() {
                let length = self.rest.len().min(PIECE_BYTES_MAX);
                let piece = self.rest.split_to(length);
                return Poll::Ready(Some(Ok(Frame::data(delivery.hand_out(piece)))));
            }
            if self.has_ended {
                ready!(delivery.poll_delivered(context));
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                None => self.has_ended = true,
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.rest = data,
                    Err(frame) => return Poll::Ready(Some(Ok(frame))),
                },
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.delivery {
            None => self.body.is_end_stream(),
            Some(delivery) => self.has_ended && self.rest.is_empty() && delivery.is_delivered(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        let of_body = self.body.size_hint();
        let rest = self.rest.len() as u64;
        let mut hint = SizeHint::new();
        hint.set_lower(of_body.lower() + rest);
        if let Some(upper) = of_body.upper() {
            hint.set_upper(upper + rest);
        }
        hint
    }
}
