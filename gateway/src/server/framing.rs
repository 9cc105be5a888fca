//! Heads of requests over HTTP/1 that a proxy in front could read in another way: refused, and the connection ends, so
//! that nothing of the body is taken for a second request.
//!
//! hyper refuses what it can't read itself. Where `Content-Length` stands beside `Transfer-Encoding`, it drops the
//! length, takes the chunks, and closes the connection after the answer, as RFC 9112 (6.3) allows.

use axum::http::{HeaderMap, HeaderValue, Request, Version, header};
use souk_http::Problem;

/// Marks a request with an ambiguous head, by the rule that it breaks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ambiguous(&'static str);

impl Ambiguous {
    /// The refusal.
    pub(crate) fn problem(self) -> Problem {
        Problem::new("invalid-parameter", self.0.to_owned())
    }
}

/// Finds what makes a head ambiguous.
pub(super) fn ambiguous<B>(request: &Request<B>) -> Option<Ambiguous> {
    if request.version() > Version::HTTP_11 {
        return None;
    }
    let headers = request.headers();
    let mut codings = headers.get_all(header::TRANSFER_ENCODING).iter();
    let is_chunked = |coding: &HeaderValue| coding.as_bytes().eq_ignore_ascii_case(b"chunked");
    if codings.next().is_some_and(|coding| !is_chunked(coding)) || codings.next().is_some() {
        return Some(Ambiguous("`Transfer-Encoding`: `chunked` is allowed, once"));
    }
    host(request.version(), headers)
}

fn host(version: Version, headers: &HeaderMap) -> Option<Ambiguous> {
    let hosts = headers.get_all(header::HOST).iter().count();
    let is_needed = version == Version::HTTP_11;
    let is_right = hosts == 1 || (hosts == 0 && !is_needed);
    (!is_right).then_some(Ambiguous("`Host`: it is needed, once"))
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

    #[test]
    fn one_host_and_one_coding_are_allowed() {
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
