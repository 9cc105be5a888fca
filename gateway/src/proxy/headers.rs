//! What of a head goes on, and what is said besides: by whom it was asked, and in which trace.

use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderName, HeaderValue, header};
use souk_eventsourcing::CorrelationId;

pub(super) const IDEMPOTENCY_KEY: &str = "idempotency-key";

/// Of the connection they come by (RFC 9110, 7.6.1), or another word for what is said here.
const OF_THIS_HOP: [&str; 14] = [
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
/// What an answer's head says to browsers is said here.
const TO_BROWSERS: &str = "access-control-";

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");
const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
const CORRELATION_ID: HeaderName = HeaderName::from_static("x-correlation-id");
const TRACE_PARENT: HeaderName = HeaderName::from_static("traceparent");
const TRACE_STATE: HeaderName = HeaderName::from_static("tracestate");

/// The headers of a request as they go on. `client` is whom this process believes to be behind
/// it.
pub(super) fn passed_on(
    parts: &Parts,
    client: Option<HeaderValue>,
    correlation_id: Option<&CorrelationId>,
    scheme: HeaderValue,
) -> HeaderMap {
    let mut headers = without_hop(&parts.headers);
    let mut say = |name: HeaderName, value: Result<HeaderValue, _>| {
        if let Ok(value) = value {
            headers.insert(name, value);
        }
    };
    if let Some(client) = client {
        say(FORWARDED_FOR, Ok(client));
    }
    if let Some(id) = correlation_id {
        say(CORRELATION_ID, HeaderValue::try_from(id.as_str()));
    }
    let (trace, is_continued) = trace(parts.headers.get(&TRACE_PARENT));
    say(TRACE_PARENT, HeaderValue::try_from(trace));
    headers.insert(FORWARDED_PROTO, scheme);
    let asked_host = parts.headers.get(header::HOST).cloned();
    let authority = parts.uri.authority().and_then(|host| HeaderValue::try_from(host.as_str()).ok());
    if let Some(host) = asked_host.or(authority) {
        headers.insert(FORWARDED_HOST, host);
    }
    if !is_continued {
        headers.remove(&TRACE_STATE);
    }
    headers
}

/// The headers of an answer as they go back.
pub(super) fn passed_back(headers: &HeaderMap) -> HeaderMap {
    let mut passed = without_hop(headers);
    let ours = passed.keys().filter(|name| name.as_str().starts_with(TO_BROWSERS)).cloned();
    for name in ours.collect::<Vec<_>>() {
        passed.remove(name);
    }
    passed
}

/// Without those that are of the connection, by themselves or because it says so.
fn without_hop(headers: &HeaderMap) -> HeaderMap {
    let named: Vec<HeaderName> = headers
        .get_all(header::CONNECTION)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect();
    let mut passed = HeaderMap::with_capacity(headers.len() + 6);
    for (name, value) in headers {
        if !OF_THIS_HOP.contains(&name.as_str()) && !named.contains(name) {
            passed.append(name.clone(), value.clone());
        }
    }
    passed
}

/// The trace the request goes on in (W3C Trace Context, version 00), and whether it had begun before.
fn trace(given: Option<&HeaderValue>) -> (String, bool) {
    let span = fastrand::u64(1..);
    if let Some((trace, flags)) = given.and_then(|value| value.to_str().ok()).and_then(read_trace) {
        return (format!("00-{trace}-{span:016x}-{flags}"), true);
    }
    (format!("00-{:032x}-{span:016x}-00", fastrand::u128(1..)), false)
}

/// Trace id and flags.
fn read_trace(text: &str) -> Option<(&str, &str)> {
    let mut parts = text.split('-');
    let (version, trace, span, flags) = (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let is_hex = |text: &str, length: usize| {
        text.len() == length && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
    };
    let is_set = |text: &str| text.bytes().any(|byte| byte != b'0');
    let is_whole = is_hex(version, 2) && is_hex(trace, 32) && is_hex(span, 16) && is_hex(flags, 2);
    // Later versions may go on behind the flags; version 00 may not.
    let is_allowed = version != "ff" && (version != "00" || parts.next().is_none());
    (is_whole && is_allowed && is_set(trace) && is_set(span)).then_some((trace, flags))
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
        passed_on(&parts, client, CorrelationId::parse("c-1").as_ref(), HeaderValue::from_static("http"))
    }

    #[test]
    fn what_is_of_the_connection_stays_there() {
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
    fn whom_it_is_for_is_said_by_this_process_alone() {
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
    fn a_trace_goes_on_in_a_span_of_its_own_and_a_broken_one_begins_anew() {
        const GIVEN: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";
        let headers = passed(&[("traceparent", GIVEN), ("tracestate", "a=b")]);
        let trace = headers["traceparent"].to_str().unwrap();
        assert!(trace.starts_with("00-4bf92f3577b34da6a3ce929d0e0e4736-") && trace.ends_with("-01"));
        assert!(trace != GIVEN && headers["tracestate"] == "a=b");
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
