//! Memory budgets of one process: request bodies being received, responses not yet sent, and running requests
//! with their heads.
//!
//! The budgets apply to every route, in addition to its rate limit. Client addresses share each budget
//! ([`Shares`]). A request that does not fit is refused with 503 `overloaded` before it causes any work.

use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use axum::response::{IntoResponse, Response};
use hyper::body::{Body as _, Frame, SizeHint};
use souk_http::Problem;
use tokio::time::{Instant, Sleep};

use crate::shares::{Share, Shares};

/// Budget for request bodies that are being received, in bytes.
pub const BODIES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Budget for responses that clients have not read yet, in bytes.
pub const RESPONSES_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Budget for the heads of running requests, in bytes.
pub const HEADS_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Size of the pieces in which a body is stored, in bytes.
const BODY_PIECE_BYTES: usize = 16 * 1024;
/// Largest number of running requests, from the head of the request to the end of the response.
pub const REQUESTS_MAX: usize = 1_024;
/// Time between two attempts of a streamed response to get room for its next piece.
const ROOM_WAIT: Duration = Duration::from_millis(20);
/// `Retry-After` of a refused request, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// Memory budgets of one process.
#[derive(Debug)]
pub struct MemoryBudgets {
    bodies: Arc<Shares>,
    responses: Arc<Shares>,
    heads: Arc<Shares>,
    requests: Arc<Shares>,
}

/// Place of one running request, and the room of its head. Dropping it gives both back.
#[derive(Debug)]
pub(crate) struct RequestPlace {
    _request: Share,
    _head: Share,
}

/// Sizes of the memory budgets.
#[derive(Clone, Copy, Debug)]
pub struct MemoryLimits {
    /// Budget for request bodies that are being received, in bytes.
    pub bodies_bytes_max: usize,
    /// Budget for responses that clients have not read yet, in bytes.
    pub responses_bytes_max: usize,
    /// Budget for the heads of running requests, in bytes.
    pub heads_bytes_max: usize,
    /// Largest number of running requests.
    pub requests_max: usize,
}

impl Default for MemoryLimits {
    fn default() -> Self {
        Self {
            bodies_bytes_max: BODIES_BYTES_MAX,
            responses_bytes_max: RESPONSES_BYTES_MAX,
            heads_bytes_max: HEADS_BYTES_MAX,
            requests_max: REQUESTS_MAX,
        }
    }
}

impl Default for MemoryBudgets {
    fn default() -> Self {
        Self::new(MemoryLimits::default())
    }
}

impl MemoryBudgets {
    /// Creates budgets of these sizes.
    pub fn new(limits: MemoryLimits) -> Self {
        Self {
            bodies: Shares::new(limits.bodies_bytes_max),
            responses: Shares::new(limits.responses_bytes_max),
            heads: Shares::new(limits.heads_bytes_max),
            requests: Shares::new(limits.requests_max),
        }
    }

    /// Takes a place for a request whose head has `head_bytes` bytes.
    pub(crate) fn place(&self, client: Option<IpAddr>, head_bytes: usize) -> Result<RequestPlace, Problem> {
        let request = self.requests.take(client, 1);
        let request = request.ok_or_else(|| overloaded("requests", "requests are running"))?;
        let head = self.heads.take(client, head_bytes);
        let head = head.ok_or_else(|| overloaded("heads", "requests with large heads are running"))?;
        Ok(RequestPlace { _request: request, _head: head })
    }

    /// Returns an empty buffer for a request body.
    pub(crate) fn body_buffer(&self, client: Option<IpAddr>) -> BodyBuffer {
        BodyBuffer { room: self.bodies.empty_share(client), pieces: Vec::new() }
    }

    /// Reserves room for a response until its last byte is sent. Keeps the place of the request until the
    /// body of the response is dropped.
    ///
    /// If `may_refuse` is true and there is no room, the response is replaced by a problem. Otherwise the
    /// response takes room beyond the budget, because a write is already done; this counts against further
    /// reads of the same client. A streamed response takes room piece by piece, and waits while there is
    /// none.
    pub(crate) fn hold_response(
        &self,
        client: Option<IpAddr>,
        may_refuse: bool,
        place: RequestPlace,
        response: Response,
    ) -> Response {
        let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
        if length == Some(0) {
            return response;
        }
        let mut room = self.responses.empty_share(client);
        if let Some(length) = length.filter(|length| !room.grow(*length)) {
            if may_refuse {
                return overloaded("answers", "responses wait to be read").into_response();
            }
            metrics::counter!("souk_room_exceeded_total", "of" => "answers").increment(1);
            room.force(length);
        }
        let is_streamed = length.is_none();
        response.map(|body| Body::new(HeldResponse { body, room, is_streamed, waiting: None, _place: place }))
    }
}

/// Buffer of a request body, with its room in the budget. The body is stored in pieces of one size until it
/// is complete: a buffer that grows would fragment the memory of the process.
#[derive(Debug)]
pub struct BodyBuffer {
    room: Share,
    pieces: Vec<Vec<u8>>,
}

impl BodyBuffer {
    /// Drops the stored bytes and gives their room back.
    pub(crate) fn clear(&mut self) {
        self.pieces = Vec::new();
        self.room.clear();
    }

    /// Appends bytes, or refuses the body if the budget has no room for them.
    pub(crate) fn add(&mut self, mut data: &[u8]) -> Result<(), Problem> {
        while !data.is_empty() {
            let free = self.pieces.last().map_or(0, |piece| piece.capacity() - piece.len());
            if free == 0 {
                // Most bodies are small and arrive in one piece.
                let size = if self.pieces.is_empty() { data.len() } else { BODY_PIECE_BYTES };
                let size = size.min(BODY_PIECE_BYTES);
                if !self.room.grow(size) {
                    return Err(overloaded("bodies", "bodies are being received"));
                }
                self.pieces.push(Vec::with_capacity(size));
                continue;
            }
            let (now, later) = data.split_at(free.min(data.len()));
            if let Some(piece) = self.pieces.last_mut() {
                piece.extend_from_slice(now);
            }
            data = later;
        }
        Ok(())
    }

    /// Returns the complete body. The buffer keeps the room until it is dropped.
    pub(crate) fn take(&mut self) -> Bytes {
        let mut pieces = std::mem::take(&mut self.pieces);
        match pieces.pop() {
            None => Bytes::new(),
            Some(only) if pieces.is_empty() => only.into(),
            Some(last) => {
                pieces.push(last);
                pieces.concat().into()
            }
        }
    }
}

fn overloaded(of: &'static str, what: &str) -> Problem {
    metrics::counter!("souk_room_refused_total", "of" => of).increment(1);
    let detail = format!(
        "too many {what}, for this client address or for all clients together; nothing was done, repeat the request \
         after {RETRY_AFTER_S} second"
    );
    Problem::new("overloaded", detail).retry_after(RETRY_AFTER_S)
}

/// Body of a response that holds room in the budget. Each piece keeps its room until it is sent. A response
/// of known length has all its room from the start. A piece of a streamed response waits until there is room
/// for it.
struct HeldResponse {
    body: Body,
    room: Share,
    is_streamed: bool,
    waiting: Option<WaitingPiece>,
    _place: RequestPlace,
}

/// Piece of a streamed response for which there is no room yet.
struct WaitingPiece {
    data: Bytes,
    next_attempt: Pin<Box<Sleep>>,
}

/// Piece of a response, with its room.
struct Piece {
    data: Bytes,
    _room: Share,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl HeldResponse {
    /// Returns the data as a piece that keeps its room until it is sent.
    fn piece(&mut self, data: Bytes) -> Bytes {
        let room = self.room.split_off(data.len());
        Bytes::from_owner(Piece { data, _room: room })
    }

    /// Waits until there is room for the waiting piece, and returns its data.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        let Some(mut waiting) = self.waiting.take() else { return Poll::Ready(Bytes::new()) };
        while !self.room.grow(waiting.data.len()) {
            if waiting.next_attempt.as_mut().poll(context).is_pending() {
                self.waiting = Some(waiting);
                return Poll::Pending;
            }
            waiting.next_attempt.as_mut().reset(Instant::now() + ROOM_WAIT);
        }
        Poll::Ready(waiting.data)
    }
}

impl hyper::body::Body for HeldResponse {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        loop {
            if self.waiting.is_some() {
                let data = ready!(self.poll_room(context));
                return Poll::Ready(Some(Ok(Frame::data(self.piece(data)))));
            }
            let frame = match ready!(Pin::new(&mut self.body).poll_frame(context)) {
                Some(Ok(frame)) => frame,
                other => return Poll::Ready(other),
            };
            match frame.into_data() {
                Ok(data) if self.is_streamed => {
                    let next_attempt = Box::pin(tokio::time::sleep(ROOM_WAIT));
                    self.waiting = Some(WaitingPiece { data, next_attempt });
                }
                Ok(data) => return Poll::Ready(Some(Ok(Frame::data(self.piece(data))))),
                Err(trailers) => return Poll::Ready(Some(Ok(trailers))),
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.waiting.is_none() && self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
