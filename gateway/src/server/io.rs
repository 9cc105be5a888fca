//! The bytes of a connection: writes that a client keeps waiting for too long end it, and so does a head for which
//! there is no room. Little is read at once, so that a connection keeps small buffers.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, ReadBuf, Take};
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::slack::Slack;

/// Bytes that are read at once: a byte less than the first buffer of HTTP/1.1, which doubles each time that it is
/// filled, up to the largest head.
const READ_BYTES_MAX: u64 = 8 * 1024 - 1;
/// The first bytes of a connection over HTTP/2.
const PREFACE: &[u8] = b"PRI * HTTP/2.0";

/// A connection whose writes have a limit of time, and whose unfinished heads have one of bytes.
pub(super) struct Watched<S> {
    stream: Take<S>,
    /// The version of HTTP, once something came. HTTP/2 has limits of its own for heads, and frames that are none.
    is_http2: Option<bool>,
    activity: Arc<Activity>,
    slack: Slack,
    is_waiting: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S: AsyncRead> Watched<S> {
    /// A connection that may keep writes waiting for so long.
    pub(super) fn new(stream: S, activity: Arc<Activity>, wait_max: Duration) -> Self {
        let timer = Box::pin(tokio::time::sleep(wait_max));
        let stream = stream.take(READ_BYTES_MAX);
        Self { stream, is_http2: None, activity, slack: Slack::new(wait_max), is_waiting: false, timer }
    }

    /// Notes bytes that came; an error when they are of a head for which there is no room.
    fn came(&mut self, bytes: &[u8]) -> Result<()> {
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

    fn judge(&mut self, context: &mut Context<'_>, written: Poll<Result<usize>>) -> Poll<Result<usize>> {
        let now = Instant::now();
        if let Poll::Ready(written) = written {
            self.slack.read(now, *written.as_ref().unwrap_or(&0));
            if std::mem::take(&mut self.is_waiting) {
                self.activity.writes(false);
            }
            return Poll::Ready(written);
        }
        if !self.is_waiting {
            self.is_waiting = true;
            self.slack.wait(now);
            self.activity.writes(true);
            let end = now + self.slack.left(now);
            self.timer.as_mut().reset(end);
        }
        ready!(self.timer.as_mut().poll(context));
        metrics::counter!("souk_connections_cut_total", "why" => "unread").increment(1);
        Poll::Ready(Err(Error::new(ErrorKind::TimedOut, "the client does not read")))
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<Result<()>> {
        let before = buffer.filled().len();
        self.stream.set_limit(READ_BYTES_MAX);
        ready!(Pin::new(&mut self.stream).poll_read(context, buffer))?;
        Poll::Ready(self.came(&buffer.filled()[before..]))
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(self.stream.get_mut()).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(self.stream.get_mut()).poll_write_vectored(context, slices);
        self.judge(context, written)
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
