//! Responses compared with the document of the API, for the tests of every crate that calls it.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

/// The document that is kept.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../docs/openapi.json")).expect("the document is JSON")
});

/// Headers that come with every HTTP server or are for browsers, and say nothing of the shop.
const OF_HTTP: [&str; 11] = [
    "cache-control",
    "connection",
    "content-length",
    "content-security-policy",
    "content-type",
    "date",
    "referrer-policy",
    "transfer-encoding",
    "vary",
    "x-content-type-options",
    "x-frame-options",
];
/// Headers that a response always has when the document says that it may.
const ALWAYS: [&str; 3] = ["ETag", "Location", "X-Correlation-Id"];

/// Resources that are read before they were ever written: they have no revision then.
const NEVER_WRITTEN: [&str; 2] = ["/api/cart", "/api/inventory/stock/{sku}"];

/// Checks that a response has the headers that the document names, and no others. A path that is not in the document
/// passes.
///
/// # Panics
/// When the headers differ.
#[track_caller]
pub(crate) fn check_headers(method: &str, path: &str, status: u16, headers: &HeaderMap) {
    let path = path.split('?').next().unwrap_or(path);
    let Some(response) = response(method, path, status) else { return };
    let none = Map::new();
    let described = response["headers"].as_object().unwrap_or(&none);
    let is_described = |name: &str| described.keys().any(|known| known.eq_ignore_ascii_case(name));
    for name in headers.keys().map(HeaderName::as_str) {
        let is_known = OF_HTTP.contains(&name) || name.starts_with("access-control-") || is_described(name);
        assert!(
            is_known,
            "{method} {path} answers {status} with `{name}`, which docs/openapi.json does not name"
        );
    }
    let is_read = matches!(method, "GET" | "HEAD");
    let is_never_written = is_read && NEVER_WRITTEN.iter().any(|template| is_of(template, path));
    let may_lack = |name: &str| status >= 400 || is_never_written && name == "ETag";
    for name in ALWAYS.into_iter().filter(|name| is_described(name) && !may_lack(name)) {
        let is_sent = headers.contains_key(name);
        assert!(is_sent, "{method} {path} answers {status} without `{name}`, which docs/openapi.json names");
    }
}

/// The response as the document describes it.
fn response(method: &str, path: &str, status: u16) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object().expect("the document has paths");
    let literal = paths.get(path);
    let template =
        || paths.iter().find(|(template, _)| is_of(template, path)).map(|(_, operations)| operations);
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    let operation = literal.or_else(template)?.get(&method)?;
    let responses = &operation["responses"];
    responses.get(status.to_string()).or_else(|| responses.get("default"))
}

/// Returns true if a path is one of a template, as `/api/orders/1` is of `/api/orders/{id}`.
fn is_of(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let are_alike = template.split('/').all(|wanted| {
        parts.next().is_some_and(|part| part == wanted || (wanted.starts_with('{') && !part.is_empty()))
    });
    are_alike && parts.next().is_none()
}
