//! Bodies on their way through: how long, how slow, and what became of them.

use std::pin::Pin;
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use crate::layers::BODY_PAUSE_MAX;

/// What is wrong with a body that somebody sends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It has too many bytes.
    TooLarge,
    /// Nothing more of it came.
    TooSlow,
    /// It ended too early.
    Broken,
}

/// The body of a request, as far as it may go.
pub(super) struct Paced {
    body: Body,
    bytes_left: usize,
    pause: Pin<Box<Sleep>>,
    fault: Arc<OnceLock<Fault>>,
}

impl Paced {
    /// A body and, once it has gone wrong, how.
    pub(super) fn new(body: Body, bytes_max: usize) -> (Self, Arc<OnceLock<Fault>>) {
        let fault = Arc::new(OnceLock::new());
        let pause = Box::pin(tokio::time::sleep(BODY_PAUSE_MAX));
        (Self { body, bytes_left: bytes_max, pause, fault: Arc::clone(&fault) }, fault)
    }

    fn fail(&self, fault: Fault) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        // The first says what it was.
        let _ = self.fault.set(fault);
        Poll::Ready(Some(Err(BrokenOff)))
    }
}

/// A body ends before its end.
#[derive(Debug, thiserror::Error)]
#[error("the body was cut off")]
pub(super) struct BrokenOff;

impl hyper::body::Body for Paced {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
            ready!(self.pause.as_mut().poll(context));
            return self.fail(Fault::TooSlow);
        };
        match frame {
            None => Poll::Ready(None),
            Some(Err(_)) => self.fail(Fault::Broken),
            Some(Ok(frame)) => {
                let length = frame.data_ref().map_or(0, Bytes::len);
                let Some(left) = self.bytes_left.checked_sub(length) else {
                    return self.fail(Fault::TooLarge);
                };
                self.bytes_left = left;
                self.pause.as_mut().reset(Instant::now() + BODY_PAUSE_MAX);
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer, which holds what the call holds until it ends.
pub(super) struct Relayed<K> {
    body: Incoming,
    /// Until when it has to be there whole.
    end: Pin<Box<Sleep>>,
    /// Told once when it breaks off or takes too long.
    broken: Option<Box<dyn FnOnce() + Send>>,
    _kept: K,
}

impl<K> Relayed<K> {
    pub(super) fn new(
        body: Incoming,
        time_left: Duration,
        broken: impl FnOnce() + Send + 'static,
        kept: K,
    ) -> Self {
        let end = Box::pin(tokio::time::sleep(time_left));
        Self { body, end, broken: Some(Box::new(broken)), _kept: kept }
    }

    fn fail(&mut self) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(broken) = self.broken.take() {
            broken();
        }
        Poll::Ready(Some(Err(BrokenOff)))
    }
}

impl<K: Unpin> hyper::body::Body for Relayed<K> {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(None) => Poll::Ready(None),
            Poll::Ready(Some(Ok(frame))) => Poll::Ready(Some(Ok(frame))),
            Poll::Ready(Some(Err(_))) => self.fail(),
            Poll::Pending => {
                ready!(self.end.as_mut().poll(context));
                self.fail()
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
