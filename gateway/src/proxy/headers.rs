//! Headers that a gateway forwards: it removes the headers of a single connection, and adds the client
//! address, the correlation id and the trace.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use souk_eventsourcing::CorrelationId;

/// Header of the idempotency key.
pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Headers that are not forwarded: they belong to one connection (RFC 9110, 7.6.1), or the gateway sets their
/// information itself.
const HOP_HEADERS: [&str; 14] = [
    "connection",
    "forwarded",
    "host",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
];
/// Prefix of CORS headers. The gateway sets them itself, so those of an upstream are removed.
const CORS_PREFIX: &str = "access-control-";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// Returns the headers of a request for the upstream. `client` is the value of `X-Forwarded-For`.
pub(super) fn for_upstream(
    parts: &Parts,
    client: Option<HeaderValue>,
    correlation_id: Option<&CorrelationId>,
    scheme: HeaderValue,
) -> HeaderMap {
    let mut headers = without_hop_headers(&parts.headers);
    let mut set = |name: HeaderName, value: Result<HeaderValue, _>| {
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    };
    if let Some(client) = client {
        set(FORWARDED_FOR, Ok(client));
    }
    if let Some(id) = correlation_id {
        set(CORRELATION_ID, HeaderValue::try_from(id.as_str()));
    }
    let (trace, is_continued) = trace(parts.headers.get(&TRACE_PARENT));
    set(TRACE_PARENT, HeaderValue::try_from(trace));
    headers.insert(FORWARDED_PROTO, scheme);
    let requested_host = parts.headers.get(header::HOST).cloned();
    let authority = parts.uri.authority().and_then(|host| HeaderValue::try_from(host.as_str()).ok());
    if let Some(host) = requested_host.or(authority) {
        headers.insert(FORWARDED_HOST, host);
    }
    if !is_continued {
        headers.remove(&TRACE_STATE);
    }
    headers
}

/// Returns the headers of an upstream's response for the client.
pub(super) fn for_client(headers: &HeaderMap) -> HeaderMap {
    let mut passed = without_hop_headers(headers);
    let cors = passed.keys().filter(|name| name.as_str().starts_with(CORS_PREFIX)).cloned();
    for name in cors.collect::<Vec<_>>() {
        passed.remove(name);
    }
    passed
}

/// Returns the headers without [`HOP_HEADERS`] and without those that the header `Connection` names.
fn without_hop_headers(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    let mut passed = HeaderMap::with_capacity(headers.len() + 6);
    for (name, value) in headers {
        if !HOP_HEADERS.contains(&name.as_str()) && !named.contains(name) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

/// Returns the value of `traceparent` for the upstream (W3C Trace Context, version 00), and true if it
/// continues the trace of the request.
fn trace(received: Option<&HeaderValue>) -> (String, bool) {
    let span = fastrand::u64(1..);
    if let Some((trace, flags)) = received.and_then(|value| value.to_str().ok()).and_then(read_trace) {
        return (format!("00-{trace}-{span:016x}-{flags}"), true);
    }
    (format!("00-{:032x}-{span:016x}-00", fastrand::u128(1..)), false)
}

/// Returns the trace id and the flags of a valid `traceparent`.
fn read_trace(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.split('-');
    let version = parts.next()?;
    let trace = parts.next()?;
    let span = parts.next()?;
    let flags = parts.next()?;
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_set = |text: &str| text.bytes().any(|byte| byte != b'0');
    let is_complete = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    // Later versions may have more parts after the flags. Version 00 may not.
    let is_allowed = version != "ff" && (version != "00" || parts.next().is_none());
    (is_complete && is_allowed && is_set(trace) && is_set(span)).then_some((trace, flags))
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    fn passed(headers: &[(&'static str, &'static str)]) -> HeaderMap {
        let mut request = Request::get("/api/products");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let client = Some(HeaderValue::from_static("192.0.2.7"));
        for_upstream(&parts, client, CorrelationId::parse("c-1").as_ref(), HeaderValue::from_static("http"))
    }

    #[test]
    fn headers_of_the_connection_are_not_forwarded() {
        let headers = passed(&[
            ("connection", "close, X-Secret-Hop"),
            ("x-secret-hop", "1"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "websocket"),
            ("proxy-authorization", "Basic eA=="),
            ("authorization", "Bearer x"),
        ]);
        let mut names: Vec<&str> = headers.keys().map(HeaderName::as_str).collect();
        names.sort_unstable();
        let expected =
            ["authorization", "traceparent", "x-correlation-id", "x-forwarded-for", "x-forwarded-proto"];
        assert_eq!(names, expected);
    }

    #[test]
    fn only_the_gateway_names_client_host_and_scheme_to_the_upstream() {
        let headers = passed(&[
            ("x-forwarded-for", "10.0.0.1, 127.0.0.1"),
            ("x-forwarded-proto", "https"),
            ("forwarded", "for=127.0.0.1"),
            ("host", "shop.example"),
        ]);
        assert_eq!(headers["x-forwarded-for"], "192.0.2.7");
        assert_eq!(headers["x-forwarded-host"], "shop.example");
        assert_eq!(headers["x-forwarded-proto"], "http");
        assert!(!headers.contains_key("forwarded") && !headers.contains_key("host"));
    }

    #[test]
    fn a_valid_trace_continues_in_a_new_span_and_an_invalid_one_is_replaced() {
        const RECEIVED: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let headers = passed(&[("traceparent", RECEIVED), ("tracestate", "a=b")]);
        let trace = headers["traceparent"].to_str().unwrap();
        assert!(trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && trace.ends_with("-01"));
        assert!(trace != RECEIVED && headers["tracestate"] == "a=b");
        for broken in [
            "",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7",
            "ff-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
            "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01-more",
            "00-00000000000000000000000000000000-00f067aa0ba902b7-01",
            "00-4BF92F3577B34DA6A3CE929D0E0E4736-00f067aa0ba902b7-01",
        ] {
            let headers = passed(&[("traceparent", broken), ("tracestate", "a=b")]);
            let trace = headers["traceparent"].to_str().unwrap();
            assert!(read_trace(trace).is_some() && !trace.contains("4bf92f35"), "{broken}");
            assert!(!headers.contains_key("tracestate"));
        }
    }
}
