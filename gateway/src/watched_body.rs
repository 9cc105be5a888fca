//! Detection of request bodies that were not read completely before the response.
//!
//! Over HTTP/1.1 the rest of such a body would be read as the next request, so the server closes the
//! connection (RFC 9112, 9.6). The response announces this with `Connection: close`; otherwise a client that
//! reuses its connections would send the next request in vain.

use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll, ready};

use axum::body::{Body, Bytes};
use axum::extract::Request;
use axum::http::header::CONNECTION;
use axum::http::{HeaderValue, Version};
use axum::response::Response;
use hyper::body::{Body as HttpBody, Frame, SizeHint};

/// Watch over the body of one request.
pub(crate) struct BodyWatch {
    /// True when the whole body was read. `None` for a request after which the connection stays open in any
    /// case.
    is_read: Option<Arc<AtomicBool>>,
}

impl BodyWatch {
    /// Starts to watch the body of a request.
    pub(crate) fn begin(request: Request) -> (Request, Self) {
        if request.version() > Version::HTTP_11 || request.body().is_end_stream() {
            return (request, Self { is_read: None });
        }
        let is_read = Arc::new(AtomicBool::new(false));
        let watched = |inner| Body::new(WatchedBody { inner, is_read: Arc::clone(&is_read) });
        (request.map(watched), Self { is_read: Some(is_read) })
    }

    /// Adds `Connection: close` to the response if a part of the body was not read.
    pub(crate) fn end(self, response: &mut Response) {
        if self.is_read.is_some_and(|is_read| !is_read.load(Ordering::Acquire)) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Request body that records when its end was read.
struct WatchedBody {
    inner: Body,
    is_read: Arc<AtomicBool>,
}

impl HttpBody for WatchedBody {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let frame = ready!(Pin::new(&mut self.inner).poll_frame(context));
        if frame.is_none() || self.inner.is_end_stream() {
            self.is_read.store(true, Ordering::Release);
        }
        Poll::Ready(frame)
    }

    fn is_end_stream(&self) -> bool {
        self.inner.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.inner.size_hint()
    }
}
