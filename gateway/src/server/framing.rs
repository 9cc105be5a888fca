//! Protection against request smuggling over HTTP/1. A head that a proxy could read differently is refused,
//! and the connection is closed, so that no part of the body is read as a second request.
//!
//! hyper already refuses malformed heads. If a request has both `Content-Length` and `Transfer-Encoding`,
//! hyper ignores the length, reads the chunks, and closes the connection after the response, as RFC 9112
//! (6.3) allows.

use axum::http::{HeaderMap, HeaderValue, Request, Version, header};
use souk_http::Problem;

/// Mark of a request with an ambiguous head. The text is the rule that the head breaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct AmbiguousHead(&'static str);

impl AmbiguousHead {
    /// Returns the problem of the request.
    pub(crate) fn problem(self) -> Problem {
        Problem::new("invalid-parameter", self.0.to_owned())
    }
}

/// Returns a mark if the head of a request is ambiguous.
pub(super) fn ambiguous<B>(request: &Request<B>) -> Option<AmbiguousHead> {
    if request.version() > Version::HTTP_11 {
        return None;
    }
    let headers = request.headers();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_some_and(|coding| !is_chunked(coding)) || codings.next().is_some() {
        return Some(AmbiguousHead("`Transfer-Encoding`: only `chunked` is allowed, and only once"));
    }
    host(request.version(), headers)
}

fn host(version: Version, headers: &HeaderMap) -> Option<AmbiguousHead> {
    let hosts = headers.get_all(header::HOST).iter().count();
    let is_needed = version == Version::HTTP_11;
    let is_valid = hosts == 1 || (hosts == 0 && !is_needed);
    (!is_valid).then_some(AmbiguousHead("`Host`: exactly one is needed"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_refused(version: Version, fields: &[(&'static str, &'static str)]) -> bool {
        let mut request = Request::new(());
        *request.version_mut() = version;
        for &(name, value) in fields {
            request.headers_mut().append(name, HeaderValue::from_static(value));
        }
        ambiguous(&request).is_some()
    }

    // Proves: edge.unambiguous-requests
    #[test]
    fn only_one_host_and_one_transfer_encoding_are_allowed() {
        let host = ("host", "x");
        assert!(!is_refused(Version::HTTP_11, &[host]));
        assert!(!is_refused(Version::HTTP_11, &[host, ("transfer-encoding", "Chunked")]));
        assert!(!is_refused(Version::HTTP_10, &[]));
        assert!(!is_refused(Version::HTTP_2, &[]));
        assert!(is_refused(Version::HTTP_11, &[]));
        assert!(is_refused(Version::HTTP_11, &[host, host]));
        assert!(is_refused(Version::HTTP_10, &[host, host]));
        for coding in ["gzip, chunked", "identity", "chunked, chunked", "xchunked"] {
            assert!(is_refused(Version::HTTP_11, &[host, ("transfer-encoding", coding)]), "{coding}");
        }
        let chunked = ("transfer-encoding", "chunked");
        assert!(is_refused(Version::HTTP_11, &[host, chunked, chunked]));
    }
}
