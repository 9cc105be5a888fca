//! The bytes of a connection: writes that a client keeps waiting for too long end it.

use std::io::{Error, ErrorKind, IoSlice, Result};
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use super::activity::Activity;
use super::slack::Slack;

/// A connection whose writes have a limit of time.
pub(super) struct Watched<S> {
    stream: S,
    activity: Arc<Activity>,
    slack: Slack,
    is_waiting: bool,
    timer: Pin<Box<Sleep>>,
}

impl<S> Watched<S> {
    /// A connection that may keep writes waiting for so long.
    pub(super) fn new(stream: S, activity: Arc<Activity>, wait_max: Duration) -> Self {
        let timer = Box::pin(tokio::time::sleep(wait_max));
        Self { stream, activity, slack: Slack::new(wait_max), is_waiting: false, timer }
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
        Pin::new(&mut self.stream).poll_read(context, buffer)
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(mut self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        self.judge(context, written)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        slices: &[IoSlice<'_>],
    ) -> Poll<Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write_vectored(context, slices);
        self.judge(context, written)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}
