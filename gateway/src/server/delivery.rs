//! Delivery of answers over HTTP/2: a stream whose client does not read is reset, and its answer dropped.
//!
//! The bytes of a connection flow on while the windows of single streams stay shut, so every stream has its
//! own limit of time. An answer goes out in pieces, and its end only when each piece has left this process:
//! the task of the stream, which [`Streams`] ends on a stall, is there until then.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, SizeHint};
use tokio::time::Instant;

use super::activity::UnderWay;
use super::slack::Slack;
use crate::shares::Shares;

/// The largest piece of an answer, in bytes: that of a frame.
const PIECE_BYTES_MAX: usize = 16 * 1024;
/// The shortest time between two looks at a stream.
const LOOK_AFTER_MIN: Duration = Duration::from_millis(1);

tokio::task_local! {
    /// The delivery of the stream that runs.
    static DELIVERY: Arc<Delivery>;
}

/// The progress of one stream's answer.
#[derive(Debug)]
pub(super) struct Delivery(Mutex<State>);

#[derive(Debug)]
struct State {
    slack: Slack,
    /// Pieces that have not left this process.
    pieces: usize,
    waker: Option<Waker>,
}

impl Delivery {
    fn new(wait_max: Duration) -> Self {
        Self(Mutex::new(State { slack: Slack::new(wait_max), pieces: 0, waker: None }))
    }

    /// The delivery of the stream that runs; none over HTTP/1.1.
    pub(super) fn current() -> Option<Arc<Self>> {
        DELIVERY.try_with(Arc::clone).ok()
    }

    fn hand_out(self: &Arc<Self>, data: Bytes) -> Bytes {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.pieces += 1;
        state.slack.wait(Instant::now());
        Bytes::from_owner(Piece { data, delivery: Arc::clone(self) })
    }

    fn left(&self, bytes: usize) {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let now = Instant::now();
        state.slack.read(now, bytes);
        state.pieces -= 1;
        if state.pieces > 0 {
            state.slack.wait(now);
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

    /// Returns when the client has kept the answer waiting for too long.
    async fn is_stalled(&self) {
        loop {
            let left = self.0.lock().unwrap_or_else(PoisonError::into_inner).slack.left(Instant::now());
            if left.is_zero() {
                return;
            }
            tokio::time::sleep(left.max(LOOK_AFTER_MIN)).await;
        }
    }
}

/// A piece of an answer.
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
        self.delivery.left(self.data.len());
    }
}

/// Runs the streams of one HTTP/2 connection, each until its answer is delivered or stalls. All connections share a
/// number of streams: one beyond it is reset before its request is looked at.
#[derive(Clone, Debug)]
pub(super) struct Streams {
    /// The time for which a client may keep an answer waiting.
    pub(super) wait_max: Duration,
    /// Streams at once.
    pub(super) shares: Arc<Shares>,
    /// The client address that the streams count for; none for a trusted proxy.
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
            // A stream whose task is dropped is reset.
            return;
        };
        let delivery = Arc::new(Delivery::new(self.wait_max));
        tokio::spawn(async move {
            let watched = Arc::clone(&delivery);
            tokio::select! {
                _ = DELIVERY.scope(delivery, stream) => {}
                () = watched.is_stalled() => {
                    metrics::counter!("souk_streams_cut_total", "why" => "unread").increment(1);
                }
            }
            drop(share);
        });
    }
}

/// The body of an answer on its way to the client.
pub(super) struct Delivered {
    body: Body,
    delivery: Option<Arc<Delivery>>,
    /// The part of the body's last frame that is not handed out yet.
    rest: Bytes,
    has_ended: bool,
    _request: UnderWay,
}

impl Delivered {
    pub(super) fn new(body: Body, delivery: Option<Arc<Delivery>>, request: UnderWay) -> Self {
        let has_ended = hyper::body::Body::is_end_stream(&body);
        Self { body, delivery, rest: Bytes::new(), has_ended, _request: request }
    }
}

impl hyper::body::Body for Delivered {
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
