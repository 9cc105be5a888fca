//! Comparison of response headers with the API document.

use std::sync::LazyLock;

use axum::http::{HeaderMap, HeaderName};
use serde_json::{Map, Value};

/// The API document in `docs/openapi.json`.
static DOCUMENT: LazyLock<Value> = LazyLock::new(|| {
    serde_json::from_str(include_str!("../../../docs/openapi.json")).expect("the document is JSON")
});

/// Headers of HTTP and of browser security, which the API document does not describe.
const HTTP_HEADERS: [&str; 11] = [
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
/// Headers that a response with a status below 400 must have if the document describes them. Other described
/// headers are optional.
const REQUIRED: [&str; 3] = ["ETag", "Location", "X-Correlation-Id"];

/// Resources that can be read before their first write. Until this write they have no revision and no `ETag`.
const READABLE_WITHOUT_REVISION: [&str; 2] = ["/api/cart", "/api/inventory/stock/{sku}"];

/// Checks that a response has the required headers of the document, and no header that the document does not
/// describe. Paths that are not in the document are not checked.
///
/// # Panics
/// If the headers differ.
#[track_caller]
pub fn check_headers(method: &str, path: &str, status: u16, headers: &HeaderMap) {
    let path = path.split('?').next().unwrap_or(path);
    let Some(response) = response(method, path, status) else { return };
    let none = Map::new();
    let described = response["headers"].as_object().unwrap_or(&none);
    let is_described = |name: &str| described.keys().any(|header| header.eq_ignore_ascii_case(name));
    for name in headers.keys().map(HeaderName::as_str) {
        let is_known =
            HTTP_HEADERS.contains(&name) || name.starts_with("access-control-") || is_described(name);
        assert!(
            is_known,
            "{method} {path} responds {status} with the header `{name}`, which docs/openapi.json does not describe"
        );
    }
    let is_read = matches!(method, "GET" | "HEAD");
    let may_lack_revision =
        is_read && READABLE_WITHOUT_REVISION.iter().any(|template| matches_template(template, path));
    let may_lack = |name: &str| status >= 400 || may_lack_revision && name == "ETag";
    for name in REQUIRED.into_iter().filter(|name| is_described(name) && !may_lack(name)) {
        let is_sent = headers.contains_key(name);
        assert!(
            is_sent,
            "{method} {path} responds {status} without the header `{name}`, which docs/openapi.json describes"
        );
    }
}

/// Returns the description of a response in the document.
fn response(method: &str, path: &str, status: u16) -> Option<&'static Value> {
    let paths = DOCUMENT["paths"].as_object().expect("the document has paths");
    let exact = paths.get(path);
    let template = || {
        paths.iter().find(|(template, _)| matches_template(template, path)).map(|(_, operations)| operations)
    };
    let method = if method == "HEAD" { "get".to_owned() } else { method.to_lowercase() };
    let operation = exact.or_else(template)?.get(&method)?;
    let responses = &operation["responses"];
    responses.get(status.to_string()).or_else(|| responses.get("default"))
}

/// Returns true if a path matches a template, for example `/api/orders/1` matches `/api/orders/{id}`.
fn matches_template(template: &str, path: &str) -> bool {
    let mut parts = path.split('/');
    let are_equal = template.split('/').all(|expected| {
        parts.next().is_some_and(|part| part == expected || (expected.starts_with('{') && !part.is_empty()))
    });
    are_equal && parts.next().is_none()
}
