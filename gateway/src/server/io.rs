//! Byte stream of a connection, with two limits: the time that writes may wait for the client, and the room
//! for incomplete heads. A connection that exceeds one of them ends with an error. Reads are small, so that a
//! connection keeps small buffers.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::wait_budget::WaitBudget;

/// Largest number of bytes in one read: one byte less than the first buffer of HTTP/1.1. That buffer doubles
/// each time it is full, so it must not fill up without need.
const READ_BYTES_MAX: u64 = 8 * 1024 - 1;
/// First bytes of an HTTP/2 connection.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// Stream of a connection with limits for waiting writes and incomplete heads.
pub(super) struct LimitedStream<S> {
    stream: Take<S>,
    /// True for HTTP/2. `None` before the first byte. HTTP/2 limits its heads itself, and has frames that are
    /// no heads.
    is_http2: Option<bool>,
    activity: Arc<Activity>,
    budget: WaitBudget,
    is_waiting: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S: AsyncRead> LimitedStream<S> {
    /// Creates a stream whose writes may wait for the client for `wait_max`.
    pub(super) fn new(stream: S, activity: Arc<Activity>, wait_max: Duration) -> Self {
        let timer = Box::pin(tokio::time::sleep(wait_max));
        let stream = stream.take(READ_BYTES_MAX);
        Self { stream, is_http2: None, activity, budget: WaitBudget::new(wait_max), is_waiting: false, timer }
    }

    /// Counts received bytes. Returns an error if they belong to a head for which there is no room.
    fn count_received(&mut self, bytes: &[u8]) -> Result<()> {
        if bytes.is_empty() {
            return Ok(());
        }
        let is_http2 = *self.is_http2.get_or_insert_with(|| bytes.starts_with(PREFACE));
        if is_http2 || self.activity.read(bytes.len()) {
            return Ok(());
        }
        metrics::counter!("souk_connections_cut_total", "why" => "head").increment(1);
        Err(Error::new(ErrorKind::OutOfMemory, "there is no room for the head"))
    }

    /// Updates the time budget after a write. Returns an error if a waiting write has used the budget up.
    fn limit_write(
        &mut self,
        context: &mut Context<'_>,
        written: Poll<Result<usize>>,
    ) -> Poll<Result<usize>> {
        let now = Instant::now();
        if let Poll::Ready(written) = written {
            self.budget.read(now, *written.as_ref().unwrap_or(&0));
            if std::mem::take(&mut self.is_waiting) {
                self.activity.writes(false);
            }
            return Poll::Ready(written);
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.budget.wait(now);
            self.activity.writes(true);
            let end = now + self.budget.left(now);
            self.timer.as_mut().reset(end);
        }
        ready!(self.timer.as_mut().poll(context));
        metrics::counter!("souk_connections_cut_total", "why" => "unread").increment(1);
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for LimitedStream<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        self.stream.set_limit(READ_BYTES_MAX);
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.count_received(&buffer.filled()[before..]))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for LimitedStream<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(self.stream.get_mut()).poll_write(context, bytes);
        self.limit_write(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(self.stream.get_mut()).poll_write_vectored(context, slices);
        self.limit_write(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.get_ref().is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(self.stream.get_mut()).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(self.stream.get_mut()).poll_shutdown(context)
    }
}
