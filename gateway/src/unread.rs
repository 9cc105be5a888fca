//! Bodies of requests that were answered before they were read.
//!
//! Over HTTP/1.1 what is left of a body would be taken for the next request, so the connection is closed (RFC 9112, 9.6). The
//! answer says so, or a client that keeps its connections would send the next request in vain.

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

/// A body under watch.
pub(crate) struct Watch {
    /// True once all of the body was read; none for a request whose connection goes on in any case.
    is_read: Option<Arc<AtomicBool>>,
}

impl Watch {
    /// Begins to watch the body of a request.
    pub(crate) fn begin(request: Request) -> (Request, Self) {
        if request.version() > Version::HTTP_11 || request.body().is_end_stream() {
            return (request, Self { is_read: None });
        }
        let is_read = Arc::new(AtomicBool::new(false));
        let watched = |inner| Body::new(Watched { inner, is_read: Arc::clone(&is_read) });
        (request.map(watched), Self { is_read: Some(is_read) })
    }

    /// Says in the answer that the connection ends, if something of the body was not read.
    pub(crate) fn end(self, response: &mut Response) {
        if self.is_read.is_some_and(|is_read| !is_read.load(Ordering::Acquire)) {
            response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
        }
    }
}

/// Notes when the end of a body was read.
struct Watched {
    inner: Body,
    is_read: Arc<AtomicBool>,
}

impl HttpBody for Watched {
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
