//! Room for the requests of one process: bodies that are gathered, answers that are not sent yet, and
//! requests under way with their heads.
//!
//! Every route is held to it, whatever its limit of rate, and clients share it by address ([`Shares`]). A
//! request for which there is no room is refused with 503 before it costs anything.

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

/// Bytes of request bodies that a process gathers at once.
pub const GATHERED_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of answers that a process holds at once, until clients have read them.
pub const ANSWER_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Bytes of the heads of requests under way at once in a process.
pub const HEAD_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Bytes of a piece of a body that is gathered.
const BODY_PIECE_BYTES: usize = 16 * 1024;
/// Requests under way at once in a process, from the head to the end of the answer.
pub const REQUESTS_MAX: usize = 1_024;
/// The time between two tries of a streamed answer to get room for its next piece.
const ROOM_WAIT: Duration = Duration::from_millis(20);
/// Seconds after which a refused request may be repeated.
const RETRY_AFTER_S: u32 = 1;

/// The room of one process.
#[derive(Debug)]
pub struct Room {
    gathered: Arc<Shares>,
    answers: Arc<Shares>,
    heads: Arc<Shares>,
    requests: Arc<Shares>,
}

/// The place of one request, and the room of its head.
#[derive(Debug)]
pub(crate) struct Place {
    _request: Share,
    _head: Share,
}

/// Amounts of room.
#[derive(Clone, Copy, Debug)]
pub struct RoomLimits {
    /// Bytes of bodies that are gathered at once.
    pub gathered_bytes_max: usize,
    /// Bytes of answers at once.
    pub answer_bytes_max: usize,
    /// Bytes of the heads of requests at once.
    pub head_bytes_max: usize,
    /// Requests at once.
    pub requests_max: usize,
}

impl Default for RoomLimits {
    fn default() -> Self {
        Self {
            gathered_bytes_max: GATHERED_BYTES_MAX,
            answer_bytes_max: ANSWER_BYTES_MAX,
            head_bytes_max: HEAD_BYTES_MAX,
            requests_max: REQUESTS_MAX,
        }
    }
}

impl Default for Room {
    fn default() -> Self {
        Self::new(RoomLimits::default())
    }
}

impl Room {
    /// Room of these amounts, all of it free.
    pub fn new(limits: RoomLimits) -> Self {
        Self {
            gathered: Shares::new(limits.gathered_bytes_max),
            answers: Shares::new(limits.answer_bytes_max),
            heads: Shares::new(limits.head_bytes_max),
            requests: Shares::new(limits.requests_max),
        }
    }

    /// Takes the place of a request with a head of so many bytes.
    pub(crate) fn place(&self, client: Option<IpAddr>, head_bytes: usize) -> Result<Place, Problem> {
        let request = self.requests.take(client, 1);
        let request = request.ok_or_else(|| refused("requests", "requests are under way"))?;
        let head = self.heads.take(client, head_bytes);
        let head = head.ok_or_else(|| refused("heads", "requests with large heads are under way"))?;
        Ok(Place { _request: request, _head: head })
    }

    /// The room that a body is gathered in, which grows with it.
    pub(crate) fn body(&self, client: Option<IpAddr>) -> Gathering {
        Gathering { room: self.gathered.nothing(client), pieces: Vec::new() }
    }

    /// Holds room for an answer until its last byte is sent, and the request's place until its body is taken. An
    /// answer to a write is never refused, since the write is done: it takes room beyond the limit, which counts
    /// against the reads of its client. A streamed answer takes room piece by piece, and waits where there is none.
    pub(crate) fn answer(
        &self,
        client: Option<IpAddr>,
        may_refuse: bool,
        place: Place,
        response: Response,
    ) -> Response {
        let length = response.body().size_hint().exact().and_then(|length| usize::try_from(length).ok());
        if length == Some(0) {
            return response;
        }
        let mut room = self.answers.nothing(client);
        if let Some(length) = length.filter(|length| !room.grow(*length)) {
            if may_refuse {
                return refused("answers", "answers wait to be read").into_response();
            }
            metrics::counter!("souk_room_exceeded_total", "of" => "answers").increment(1);
            room.force(length);
        }
        let is_streamed = length.is_none();
        response.map(|body| Body::new(Answer { body, room, is_streamed, waiting: None, _place: place }))
    }
}

/// A body that is gathered, and its room. It is kept in pieces of one size until it is whole: a buffer that grows
/// would leave one hole after the other in the memory of the process.
#[derive(Debug)]
pub struct Gathering {
    room: Share,
    pieces: Vec<Vec<u8>>,
}

impl Gathering {
    /// Drops what there is, and gives its room back.
    pub(crate) fn clear(&mut self) {
        self.pieces = Vec::new();
        self.room.clear();
    }

    /// Adds bytes.
    pub(crate) fn add(&mut self, mut data: &[u8]) -> Result<(), Problem> {
        while !data.is_empty() {
            let free = self.pieces.last().map_or(0, |piece| piece.capacity() - piece.len());
            if free == 0 {
                // Most bodies are small and come at once.
                let size = if self.pieces.is_empty() { data.len() } else { BODY_PIECE_BYTES };
                let size = size.min(BODY_PIECE_BYTES);
                if !self.room.grow(size) {
                    return Err(refused("bodies", "bodies are being received"));
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

    /// Takes the whole body. Its room is held on.
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

fn refused(of: &'static str, what: &str) -> Problem {
    metrics::counter!("souk_room_refused_total", "of" => of).increment(1);
    let detail = format!(
        "too many {what} from here, or from all clients together; nothing was done, repeat the request after \
         {RETRY_AFTER_S} second"
    );
    Problem::new("overloaded", detail).retry_after(RETRY_AFTER_S)
}

/// The body of an answer; each piece of it holds its room until it is sent. A piece of a streamed answer waits until
/// there is room for it. An answer of known length has its room from the start.
struct Answer {
    body: Body,
    room: Share,
    is_streamed: bool,
    waiting: Option<Waiting>,
    _place: Place,
}

/// A piece of a streamed answer for which there is no room yet.
struct Waiting {
    data: Bytes,
    next_try: Pin<Box<Sleep>>,
}

/// A piece of an answer.
struct Piece {
    data: Bytes,
    _room: Share,
}

impl AsRef<[u8]> for Piece {
    fn as_ref(&self) -> &[u8] {
        &self.data
    }
}

impl Answer {
    /// The piece, which holds its room until it is sent.
    fn piece(&mut self, data: Bytes) -> Bytes {
        let room = self.room.cut_off(data.len());
        Bytes::from_owner(Piece { data, _room: room })
    }

    /// Waits for the room of the piece that waits.
    fn poll_room(&mut self, context: &mut Context<'_>) -> Poll<Bytes> {
        let Some(mut waiting) = self.waiting.take() else { return Poll::Ready(Bytes::new()) };
        while !self.room.grow(waiting.data.len()) {
            if waiting.next_try.as_mut().poll(context).is_pending() {
                self.waiting = Some(waiting);
                return Poll::Pending;
            }
            waiting.next_try.as_mut().reset(Instant::now() + ROOM_WAIT);
        }
        Poll::Ready(waiting.data)
    }
}

impl hyper::body::Body for Answer {
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
                    let next_try = Box::pin(tokio::time::sleep(ROOM_WAIT));
                    self.waiting = Some(Waiting { data, next_try });
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
