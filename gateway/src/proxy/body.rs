//! Bodies on their way through: how long, how slow, and what became of them.

use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::task::{Context, Poll, ready};
use std::time::Duration;

use axum::body::{Body, Bytes};
use hyper::body::{Frame, Incoming, SizeHint};
use tokio::sync::oneshot;
use tokio::time::{Instant, Sleep};

use crate::layers::{BODY_PAUSE_MAX, DROPPED_BYTES_MAX, time_for};

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

/// How far the body of a request has come.
#[derive(Debug, Default)]
pub(super) struct Progress {
    fault: OnceLock<Fault>,
    is_whole: AtomicBool,
}

impl Progress {
    /// What was wrong with it first.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.get().copied()
    }

    /// Time is up: its sender is to blame unless all of it was here. Whether they are.
    pub(super) fn is_late(&self) -> bool {
        let is_late = !self.is_whole.load(Ordering::Acquire);
        if is_late {
            // The first says what it was.
            let _ = self.fault.set(Fault::TooSlow);
        }
        is_late
    }
}

/// The body of a request, as far as it may go. Only the time for which its sender is waited for counts: not
/// that in which nobody asks for more of it.
pub(super) struct Paced {
    body: Body,
    bytes_left: usize,
    /// What is read and dropped still, once it is too large: its sender doesn't look for the answer before.
    dropped_left: Option<usize>,
    pause: Pin<Box<Sleep>>,
    waits_since: Option<Instant>,
    waited: Duration,
    /// Bytes that are here.
    came: usize,
    progress: Arc<Progress>,
}

impl Paced {
    /// A body, and what becomes of it.
    pub(super) fn new(body: Body, bytes_max: usize) -> (Self, Arc<Progress>) {
        let progress = Arc::new(Progress::default());
        let paced = Self {
            body,
            bytes_left: bytes_max,
            dropped_left: None,
            pause: Box::pin(tokio::time::sleep(BODY_PAUSE_MAX)),
            waits_since: None,
            waited: Duration::ZERO,
            came: 0,
            progress: Arc::clone(&progress),
        };
        (paced, progress)
    }

    fn fail(&self, fault: Fault) -> Result<Frame<Bytes>, BrokenOff> {
        // The first says what it was.
        let _ = self.progress.fault.set(fault);
        Err(BrokenOff)
    }

    fn begin_to_wait(&mut self) {
        let now = Instant::now();
        if self.waits_since.is_none() {
            self.waits_since = Some(now);
            let left = time_for(self.came).saturating_sub(self.waited);
            self.pause.as_mut().reset(now + left.min(BODY_PAUSE_MAX));
        }
    }

    /// A frame as it goes on; none when it is dropped.
    fn passed(&mut self, frame: Frame<Bytes>) -> Option<Result<Frame<Bytes>, BrokenOff>> {
        let length = frame.data_ref().map_or(0, Bytes::len);
        self.came += length;
        if self.dropped_left.is_none() {
            if let Some(left) = self.bytes_left.checked_sub(length) {
                self.bytes_left = left;
                return Some(Ok(frame));
            }
            self.dropped_left = Some(DROPPED_BYTES_MAX);
        }
        match self.dropped_left.and_then(|left| left.checked_sub(length)) {
            Some(left) => {
                self.dropped_left = Some(left);
                None
            }
            None => Some(self.fail(Fault::TooLarge)),
        }
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
        loop {
            let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) else {
                self.begin_to_wait();
                ready!(self.pause.as_mut().poll(context));
                return Poll::Ready(Some(self.fail(Fault::TooSlow)));
            };
            if let Some(since) = self.waits_since.take() {
                self.waited += since.elapsed();
            }
            match frame {
                None if self.dropped_left.is_some() => return Poll::Ready(Some(self.fail(Fault::TooLarge))),
                None => {
                    self.progress.is_whole.store(true, Ordering::Release);
                    return Poll::Ready(None);
                }
                Some(Err(_)) => return Poll::Ready(Some(self.fail(Fault::Broken))),
                Some(Ok(frame)) => {
                    if let Some(passed) = self.passed(frame) {
                        return Poll::Ready(Some(passed));
                    }
                }
            }
        }
    }

    fn is_end_stream(&self) -> bool {
        let is_end = self.body.is_end_stream();
        if is_end {
            self.progress.is_whole.store(true, Ordering::Release);
        }
        is_end
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// The body of an answer.
pub(super) struct Relayed {
    body: Incoming,
    /// Until when it has to be there whole.
    end: Pin<Box<Sleep>>,
    began: Instant,
    /// For how long its sender was waited for, and since when they are: whoever reads it too slowly is not their
    /// fault.
    waited: Duration,
    waits_since: Option<Instant>,
    /// Told once when its sender breaks off or takes too long.
    broken: Option<Box<dyn FnOnce() + Send>>,
    /// Gone with the body: what the call holds is free then.
    _held: oneshot::Sender<()>,
}

impl Relayed {
    /// The body of an answer for which something is held until it ends, or its time is up: also when nobody
    /// reads it.
    pub(super) fn new(
        body: Incoming,
        time_left: Duration,
        broken: impl FnOnce() + Send + 'static,
        kept: impl Send + 'static,
    ) -> Self {
        let (held, mut gone) = oneshot::channel();
        tokio::spawn(async move {
            // Whichever comes first.
            let _ = tokio::time::timeout(time_left, &mut gone).await;
            drop(kept);
        });
        let end = Box::pin(tokio::time::sleep(time_left));
        Self {
            body,
            end,
            began: Instant::now(),
            waited: Duration::ZERO,
            waits_since: None,
            broken: Some(Box::new(broken)),
            _held: held,
        }
    }

    fn fail(&mut self, is_theirs: bool) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        if let Some(broken) = self.broken.take().filter(|_| is_theirs) {
            broken();
        }
        Poll::Ready(Some(Err(BrokenOff)))
    }
}

impl hyper::body::Body for Relayed {
    type Data = Bytes;
    type Error = BrokenOff;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenOff>>> {
        match Pin::new(&mut self.body).poll_frame(context) {
            Poll::Ready(Some(Err(_))) => self.fail(true),
            Poll::Ready(frame) => {
                let waits_since = self.waits_since.take();
                self.waited += waits_since.map_or(Duration::ZERO, |since| since.elapsed());
                Poll::Ready(frame.map(|frame| frame.map_err(|_| BrokenOff)))
            }
            Poll::Pending => {
                let waits_since = *self.waits_since.get_or_insert_with(Instant::now);
                ready!(self.end.as_mut().poll(context));
                let waited = self.waited + waits_since.elapsed();
                let is_theirs = waited * 2 >= self.began.elapsed();
                self.fail(is_theirs)
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

#[cfg(test)]
mod tests {
    use futures_util::stream::{StreamExt as _, unfold};
    use http_body_util::BodyExt as _;

    use super::*;

    /// Forty pieces of a body, one every nine seconds: how many bytes went on, after how long, and what was
    /// wrong.
    async fn sent(bytes: usize) -> (usize, u64, Option<Fault>) {
        let pieces = unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_secs(9)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![b' '; bytes])), ()))
        });
        let began = Instant::now();
        let (mut body, progress) = Paced::new(Body::from_stream(pieces.take(40)), 1024 * 1024);
        let mut went_on = 0;
        while let Some(Ok(frame)) = body.frame().await {
            went_on += frame.data_ref().map_or(0, Bytes::len);
        }
        (went_on, began.elapsed().as_secs(), progress.fault())
    }

    #[tokio::test(start_paused = true)]
    async fn a_body_passes_as_slowly_as_one_that_is_read_whole() {
        assert_eq!(sent(1).await, (2, 20, Some(Fault::TooSlow)));
        assert_eq!(sent(16 * 1024).await, (40 * 16 * 1024, 360, None));
    }
}
