//! Strict reading of JSON bodies and query strings.
//!
//! Unknown fields, missing fields and values of the wrong type are refused. The problem names the field by
//! its JSON pointer, or the query parameter by its name. A problem quotes only a short part of the input.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, Uri, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_path_to_error::Segment;
use souk_domain::text::{QUOTED_CHARS_MAX, truncate};

use crate::objects::Objects;
use crate::paging::LIMIT_MAX;
use crate::problem::Problem;

/// Largest length of the part of a parser message that quotes the input, in characters.
const QUOTING_CHARS_MAX: usize = QUOTED_CHARS_MAX + 60;
/// Start of the parser message for a number that is too large for every number type.
const OUT_OF_RANGE: &str = "number out of range";
/// Largest length of the part of a parser message that lists the expected fields or values, in characters.
/// This part quotes nothing of the input.
const EXPECTED_CHARS_MAX: usize = 1_000;

/// JSON body of a request: the parsed value and the bytes as sent.
#[derive(Debug)]
pub struct StrictJson<T> {
    /// Parsed value.
    pub value: T,
    /// Bytes of the body as sent. Request hashes are computed from them.
    pub raw: Bytes,
}

impl<T: DeserializeOwned, S: Send + Sync> FromRequest<S> for StrictJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        check_content_type(request.headers())?;
        let raw = read_body(request, state).await?;
        let value = parse(&raw)?;
        Ok(Self { value, raw })
    }
}

async fn read_body<S: Send + Sync>(request: Request, state: &S) -> Result<Bytes, Problem> {
    Bytes::from_request(request, state).await.map_err(|rejection| match rejection.status().as_u16() {
        413 => Problem::new("body-too-large", "a body has at most 1 MiB"),
        _ => Problem::new("malformed-body", "the body could not be read"),
    })
}

fn check_content_type(headers: &HeaderMap) -> Result<(), Problem> {
    let value = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or("");
    let kind = value.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    if kind == "application/json" || kind.ends_with("+json") {
        return Ok(());
    }
    Err(Problem::new("unsupported-media-type", "send `Content-Type: application/json`"))
}

/// Parses a JSON object. Returns `malformed-body` for text that is not JSON, and `validation-failed` with a
/// pointer for JSON that does not have the shape of `T`.
pub fn parse<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Problem> {
    if raw.trim_ascii_start().first() == Some(&b'[') && serde_json::from_slice::<IgnoredAny>(raw).is_ok() {
        return Err(Problem::field("", "invalid-value", "an object is expected"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(raw);
    let value: T = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| shape_problem(&pointer(error.path()), error.inner()))?;
    deserializer.end().map_err(|error| Problem::new("malformed-body", error.to_string()))?;
    // Derived deserializers also accept an array in place of an object. The second pass refuses such arrays.
    let document = serde_json::from_slice(raw).map_err(|error| shape_problem("", &error))?;
    read::<T>(&document)?;
    Ok(value)
}

/// Reads a document that is already parsed. Works like [`parse`], but can't detect a field that occurs twice.
pub fn read<T: DeserializeOwned>(document: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(Objects(document))
        .map_err(|error| shape_problem(&pointer(error.path()), error.inner()))
}

/// Extractor of a route without input: accepts no body or an empty JSON object.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Empty {}
        OptionalJson::<Empty>::from_request(request, state).await.map(|_| Self)
    }
}

/// JSON body that may be left out. Without a body the value is the default of `T`.
#[derive(Debug)]
pub struct OptionalJson<T> {
    /// Parsed value, or the default.
    pub value: T,
    /// Bytes of the body as sent. Request hashes are computed from them.
    pub raw: Bytes,
}

impl<T: DeserializeOwned + Default, S: Send + Sync> FromRequest<S> for OptionalJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        let (parts, body) = request.into_parts();
        let headers = parts.headers.clone();
        let raw = read_body(Request::from_parts(parts, body), state).await?;
        if raw.trim_ascii().is_empty() {
            return Ok(Self { value: T::default(), raw });
        }
        check_content_type(&headers)?;
        Ok(Self { value: parse(&raw)?, raw })
    }
}

/// Turns a parser error into a problem. The parser reports the kind of error only as text, so the kind is
/// recognized by the first words of the message.
fn shape_problem(pointer: &str, cause: &serde_json::Error) -> Problem {
    let message = shortened(&with_plain_types(message_of(cause)));
    if message.starts_with(OUT_OF_RANGE) {
        return Problem::field(pointer, "out-of-range", message);
    }
    if !cause.is_data() {
        return Problem::new("malformed-body", message);
    }
    if let Some(name) = quoted(&message, "missing field `") {
        let detail = format!("`{name}` is needed");
        return Problem::field(format!("{pointer}/{}", escaped(name)), "missing-field", detail);
    }
    if quoted(&message, "unknown field `").is_some() {
        return Problem::field(pointer, "unknown-field", message);
    }
    if let Some(name) = quoted(&message, "duplicate field `") {
        let detail = format!("`{name}` occurs twice; once is allowed");
        return Problem::field(pointer, "duplicate-field", detail);
    }
    let found = message.strip_prefix("invalid type: ").or_else(|| message.strip_prefix("invalid value: "));
    let detail = found.map_or_else(|| message.clone(), |found| format!("found {found}"));
    Problem::field(pointer, "invalid-value", detail)
}

/// Returns the parser's message. Line and column stay for text that is not JSON. They are removed for a field
/// of the wrong shape: the pointer names the field, and a reader could take line and column for those of an
/// imported file.
fn message_of(cause: &serde_json::Error) -> String {
    let message = cause.to_string();
    let place = format!(" at line {} column {}", cause.line(), cause.column());
    match message.strip_suffix(&place) {
        Some(short) if cause.is_data() || short.starts_with(OUT_OF_RANGE) => short.to_owned(),
        _ => message,
    }
}

/// Shortens a parser message. The first part quotes the input in full; the second part lists what was
/// expected.
fn shortened(message: &str) -> String {
    match message.rfind(", expected").map(|end| message.split_at(end)) {
        Some((quoting, expected)) => {
            truncate(quoting, QUOTING_CHARS_MAX) + &truncate(expected, EXPECTED_CHARS_MAX)
        }
        None => truncate(message, QUOTING_CHARS_MAX),
    }
}

/// Rust type names in parser messages, each with the JSON term that replaces it.
const TYPES: [(&str, &str); 11] = [
    ("i64", "a whole number"),
    ("i32", "a whole number"),
    ("u64", "a whole number from 0"),
    ("u32", "a whole number from 0"),
    ("u16", "a whole number from 0"),
    ("u8", "a whole number from 0"),
    ("usize", "a whole number from 0"),
    ("f64", "a number"),
    ("a boolean", "true or false"),
    ("a map", "an object"),
    ("a sequence", "an array"),
];

/// Replaces the Rust type name in a parser message by the JSON term, because clients do not know Rust types.
fn with_plain_types(message: String) -> String {
    let Some((before, expected)) = message.rsplit_once(", expected ") else { return message };
    if expected.starts_with("struct ") {
        return format!("{before}, expected an object");
    }
    match TYPES.iter().find(|(name, _)| *name == expected) {
        Some((_, plain)) => format!("{before}, expected {plain}"),
        None => message,
    }
}

fn quoted<'a>(message: &'a str, before: &str) -> Option<&'a str> {
    message.strip_prefix(before)?.split_once('`').map(|(name, _)| name)
}

fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn pointer(path: &serde_path_to_error::Path) -> String {
    let mut pointer = String::new();
    for segment in path {
        let part = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => escaped(key),
            Segment::Enum { variant } => variant.clone(),
            Segment::Unknown => continue,
        };
        pointer.push('/');
        pointer.push_str(&part);
    }
    pointer
}

/// Query string of a request, parsed into `T`. Parameters without a value are refused, and unknown parameters if
/// `T` denies unknown fields.
#[derive(Debug)]
pub struct StrictQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let parsed = parse_query(&parts.uri)?;
        check_values(parts.uri.query().unwrap_or(""))?;
        Ok(Self(parsed))
    }
}

/// Query string that another server wrote, parsed into `T`. Parameters without a value are allowed.
#[derive(Debug)]
pub struct ForeignQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for ForeignQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        parse_query(&parts.uri).map(Self)
    }
}

fn parse_query<T: DeserializeOwned>(uri: &Uri) -> Result<T, Problem> {
    check_utf8(uri.query().unwrap_or(""))?;
    let query = axum::extract::Query::<T>::try_from_uri(uri);
    Ok(query.map_err(|error| parameter_problem(&error.body_text()))?.0)
}

/// Refuses a parameter without a value. A client that filters by an empty value has probably lost the value, and
/// would take the list of all items for the filtered list.
fn check_values(query: &str) -> Result<(), Problem> {
    for pair in query.split('&').filter(|pair| !pair.is_empty()) {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        if value.is_empty() {
            let name = percent_decode_str(name).decode_utf8_lossy();
            return Err(Problem::parameter(&name, "a value is required; leave the parameter out for none"));
        }
    }
    Ok(())
}

/// Refuses a query string whose bytes are not UTF-8. The query parser would silently replace them by U+FFFD.
fn check_utf8(query: &str) -> Result<(), Problem> {
    for pair in query.split('&') {
        let name = pair.split('=').next().unwrap_or(pair);
        if percent_decode_str(pair).decode_utf8().is_err() {
            let name = percent_decode_str(name).decode_utf8();
            let name = name.as_deref().unwrap_or("query");
            return Err(Problem::parameter(name, "it is not UTF-8; percent-encode the bytes of UTF-8 text"));
        }
    }
    Ok(())
}

/// Returns true if the message is the standard library's error for text that is not a whole number of the
/// type.
fn is_number_error(message: &str) -> bool {
    ["invalid digit found in string", "cannot parse integer from empty string", "number too"]
        .iter()
        .any(|begin| message.starts_with(begin))
}

/// Turns a query parser message into a problem that names the parameter.
fn parameter_problem(message: &str) -> Problem {
    let message = message.strip_prefix("Failed to deserialize query string: ").unwrap_or(message);
    if let Some(name) = quoted(message, "duplicate field `") {
        return Problem::parameter(name, "it occurs more than once");
    }
    match message.split_once(": ") {
        Some((name, why)) if why.contains("not `true` or `false`") => {
            Problem::parameter(name, "true or false is allowed")
        }
        Some((name, why)) if why.starts_with("unknown variant `") => {
            let allowed = why.rfind(", expected").map_or("", |at| &why[at + 2..]);
            Problem::parameter(
                name,
                format!("there is no such value; {}", truncate(allowed, EXPECTED_CHARS_MAX)),
            )
        }
        _ if message.contains("unknown field `") => {
            let name = message.split('`').nth(1).unwrap_or("query");
            let allowed = match message.rfind(", expected") {
                Some(at) => truncate(&message[at + 2..], EXPECTED_CHARS_MAX),
                None => "no parameter is allowed".into(),
            };
            Problem::parameter(name, format!("there is no such parameter here; {allowed}"))
        }
        Some(("limit", why)) if is_number_error(why) => {
            Problem::parameter("limit", format!("a whole number from 1 to {LIMIT_MAX} is allowed"))
        }
        Some((name, why)) if is_number_error(why) => {
            Problem::parameter(name, "a whole number is allowed, as in 42")
        }
        Some((name, why)) => Problem::parameter(name, shortened(why)),
        None => Problem::parameter("query", shortened(message)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Line {
        #[expect(dead_code, reason = "only its type matters here")]
        quantity: u32,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Order {
        #[expect(dead_code, reason = "only its type matters here")]
        lines: Vec<Line>,
    }

    #[test]
    fn a_wrong_parameter_is_named_with_what_is_allowed() {
        for (message, detail) in [
            ("duplicate field `limit`", "`limit`: it occurs more than once"),
            ("inStock: provided string was not `true` or `false`", "`inStock`: true or false is allowed"),
            (
                "sort: unknown variant `price-up`, expected `price` or `name`",
                "`sort`: there is no such value; expected `price` or `name`",
            ),
            ("limit: invalid digit found in string", "`limit`: a whole number from 1 to 100 is allowed"),
        ] {
            assert_eq!(parameter_problem(message).detail(), detail);
        }
    }

    // Proves: common.unknown-fields
    #[test]
    fn every_kind_of_invalid_body_has_its_own_problem() {
        for (body, code, place) in [
            ("{", "malformed-body", "line 1"),
            ("", "malformed-body", "EOF"),
            ("[[]]", "validation-failed", "an object is expected"),
            ("{} {}", "validation-failed", "\"/lines\""),
            (r#"{"lines":[]} x"#, "malformed-body", "trailing"),
            (r#"{"lines":[{"quantity":"2"}]}"#, "validation-failed", "/lines/0/quantity"),
            (r#"{"lines":[{"quantity":-1}]}"#, "validation-failed", "/lines/0/quantity"),
            (r#"{"lines":[{"quantity":1e18}]}"#, "validation-failed", "/lines/0/quantity"),
            (r#"{"lines":[{"quantity":1e400}]}"#, "validation-failed", "out-of-range"),
            (r#"{"lines":[{"quantity":99999999999999999999}]}"#, "validation-failed", "/lines/0/quantity"),
            (r#"{"lines":[{"quantity":1,"quantity":2}]}"#, "validation-failed", "duplicate-field"),
            (r#"{"lines":[{"quantity":1,"colour":1}]}"#, "validation-failed", "/lines/0/colour"),
            (r#"{"lines":[[2]]}"#, "validation-failed", "/lines/0"),
            (r#"{"lines":["2"]}"#, "validation-failed", "expected an object"),
            (r#"{"lines":[{}]}"#, "validation-failed", "/lines/0/quantity"),
            (r#"{"lines":[{}]}"#, "validation-failed", "`quantity` is needed"),
            (r#"{"lines":[{"quantity":1,"quantity":2}]}"#, "validation-failed", "`quantity` occurs twice"),
            (
                r#"{"lines":[{"quantity":null}]}"#,
                "validation-failed",
                "found null, expected a whole number from 0",
            ),
            (r#"{"lines":[{"quantity":1.5}]}"#, "validation-failed", "expected a whole number from 0"),
            (r#"{"lines":{}}"#, "validation-failed", "found map, expected an array"),
        ] {
            let problem = parse::<Order>(body.as_bytes()).unwrap_err();
            assert_eq!(problem.code(), code, "{body}");
            assert!(format!("{problem:?}").contains(place), "{problem:?}");
            assert_eq!(problem.detail().contains(" column "), code == "malformed-body", "{problem:?}");
        }
    }

    #[test]
    fn a_query_string_that_is_not_utf_8_is_refused() {
        for query in ["", "q=", "q=caf%C3%A9&limit=1", "q=100%", "q=%zz", "a&&=", "q=%EF%BF%BD"] {
            check_utf8(query).unwrap();
        }
        for (query, name) in [
            ("q=%C3%28", "q"),
            ("limit=1&q=%FF", "q"),
            ("q=caf%e9", "q"),
            ("%FF=1", "query"),
            ("q=%ED%A0%80", "q"),
        ] {
            let problem = check_utf8(query).unwrap_err();
            assert_eq!(problem.code(), "invalid-parameter", "{query}");
            assert!(problem.detail().contains(&format!("`{name}`")), "{problem:?}");
        }
    }

    #[derive(Debug, Deserialize)]
    #[serde(rename_all = "camelCase")]
    enum Sort {
        Newest,
    }

    #[derive(Debug, Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Query {
        #[expect(dead_code, reason = "only its type matters here")]
        sort: Option<Sort>,
        #[expect(dead_code, reason = "only its type matters here")]
        limit: Option<u32>,
    }

    #[test]
    fn a_problem_quotes_only_a_short_part_of_the_body_or_the_query() {
        let long = "🏺, expected `".repeat(10_000);
        for body in [
            json!({ long.as_str(): 1 }),
            json!({ "lines": long }),
            json!({ "lines": [{ "quantity": long }] }),
            json!({ "lines": [{ "quantity": 1, long.as_str(): 1 }] }),
        ] {
            let problem = parse::<Order>(body.to_string().as_bytes()).unwrap_err();
            assert!(problem.detail().chars().count() < 600, "{problem:?}");
            assert!(problem.detail().contains("expected"), "{problem:?}");
        }
        for query in ["sort=", "limit=", "", "limit=1&limit="] {
            let uri = format!("/?{query}{}", "long%2C%20expected%20".repeat(1_000)).parse().unwrap();
            let error = axum::extract::Query::<Query>::try_from_uri(&uri).unwrap_err();
            let problem = parameter_problem(&error.body_text());
            assert!(problem.detail().chars().count() < 600, "{problem:?}");
        }
    }
}
