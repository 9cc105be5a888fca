//! Bodies and query strings, read strictly: what is unknown, missing or of the wrong type is named.

use axum::body::Bytes;
use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::http::request::Parts;
use axum::http::{HeaderMap, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;
use serde::de::{DeserializeOwned, IgnoredAny};
use serde_json::Value;
use serde_path_to_error::Segment;
use souk_domain::text::{QUOTED_CHARS_MAX, cut};

use crate::objects::Objects;
use crate::paging::LIMIT_MAX;
use crate::problem::Problem;

/// Characters of what the parser says of the input, which it quotes.
const SAID_CHARS_MAX: usize = QUOTED_CHARS_MAX + 60;
/// The parser's words for a number that no type holds.
const OUT_OF_RANGE: &str = "number out of range";
/// Characters of what the parser says it expected: names of fields or values, all of them ours.
const EXPECTED_CHARS_MAX: usize = 1_000;

/// A JSON body and its bytes.
#[derive(Debug)]
pub struct StrictJson<T> {
    /// What it says.
    pub value: T,
    /// As it was sent; for request hashes.
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

/// Reads a JSON object. Broken JSON is malformed; JSON of another shape is a field error with its pointer.
pub fn parse<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Problem> {
    if raw.trim_ascii_start().first() == Some(&b'[') && serde_json::from_slice::<IgnoredAny>(raw).is_ok() {
        return Err(Problem::field("", "invalid-value", "an object is wanted"));
    }
    let mut deserializer = serde_json::Deserializer::from_slice(raw);
    let value: T = serde_path_to_error::deserialize(&mut deserializer)
        .map_err(|error| not_of_the_shape(&pointer(error.path()), error.inner()))?;
    deserializer.end().map_err(|error| Problem::new("malformed-body", error.to_string()))?;
    // The derived readers take an array for an object, field by field.
    let document = serde_json::from_slice(raw).map_err(|error| not_of_the_shape("", &error))?;
    read::<T>(&document)?;
    Ok(value)
}

/// Reads a document that was parsed before: as [`parse`], but for fields that stand in it twice.
pub fn read<T: DeserializeOwned>(document: &Value) -> Result<T, Problem> {
    serde_path_to_error::deserialize(Objects(document))
        .map_err(|error| not_of_the_shape(&pointer(error.path()), error.inner()))
}

/// A request without a body, or with an empty object.
#[derive(Clone, Copy, Debug)]
pub struct NoBody;

impl<S: Send + Sync> FromRequest<S> for NoBody {
    type Rejection = Problem;

    async fn from_request(request: Request, state: &S) -> Result<Self, Problem> {
        #[derive(Default, Deserialize)]
        #[serde(deny_unknown_fields)]
        struct Nothing {}
        OptionalJson::<Nothing>::from_request(request, state).await.map(|_| Self)
    }
}

/// A JSON body that may be left out.
#[derive(Debug)]
pub struct OptionalJson<T> {
    /// What it says.
    pub value: T,
    /// As it was sent; for request hashes.
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

/// The parser tells what is wrong in words alone; the first of them say which kind it is.
fn not_of_the_shape(pointer: &str, cause: &serde_json::Error) -> Problem {
    let words = shortened(&with_plain_types(words_of(cause)));
    if words.starts_with(OUT_OF_RANGE) {
        return Problem::field(pointer, "out-of-range", words);
    }
    if !cause.is_data() {
        return Problem::new("malformed-body", words);
    }
    if let Some(name) = quoted(&words, "missing field `") {
        let detail = format!("`{name}` is needed");
        return Problem::field(format!("{pointer}/{}", escaped(name)), "missing-field", detail);
    }
    if quoted(&words, "unknown field `").is_some() {
        return Problem::field(pointer, "unknown-field", words);
    }
    if let Some(name) = quoted(&words, "duplicate field `") {
        return Problem::field(
            pointer,
            "duplicate-field",
            format!("`{name}` stands there twice; once is allowed"),
        );
    }
    let found = words.strip_prefix("invalid type: ").or_else(|| words.strip_prefix("invalid value: "));
    let detail = found.map_or_else(|| words.clone(), |found| format!("found {found}"));
    Problem::field(pointer, "invalid-value", detail)
}

/// The parser's words. Where JSON is broken they say the line and column; a field of the wrong shape has a pointer, and
/// a line and column of the body beside it would be taken for those of a file.
fn words_of(cause: &serde_json::Error) -> String {
    let words = cause.to_string();
    let place = format!(" at line {} column {}", cause.line(), cause.column());
    match words.strip_suffix(&place) {
        Some(words) if cause.is_data() || words.starts_with(OUT_OF_RANGE) => words.to_owned(),
        _ => words,
    }
}

/// The parser's words with little of the input in them. It quotes the input whole, and then says what it expected.
fn shortened(words: &str) -> String {
    match words.rfind(", expected").map(|end| words.split_at(end)) {
        Some((said, expected)) => cut(said, SAID_CHARS_MAX) + &cut(expected, EXPECTED_CHARS_MAX),
        None => cut(words, SAID_CHARS_MAX),
    }
}

/// What the parser calls the types that a document is read into, and what JSON has for them.
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

/// The parser's words with types as JSON has them. What a document is read into is of no interest outside.
fn with_plain_types(words: String) -> String {
    let Some((before, expected)) = words.rsplit_once(", expected ") else { return words };
    if expected.starts_with("struct ") {
        return format!("{before}, expected an object");
    }
    match TYPES.iter().find(|(name, _)| *name == expected) {
        Some((_, plain)) => format!("{before}, expected {plain}"),
        None => words,
    }
}

fn quoted<'a>(words: &'a str, before: &str) -> Option<&'a str> {
    words.strip_prefix(before)?.split_once('`').map(|(name, _)| name)
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

/// A query string.
#[derive(Debug)]
pub struct StrictQuery<T>(pub T);

impl<T: DeserializeOwned, S: Send + Sync> FromRequestParts<S> for StrictQuery<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        check_utf8(parts.uri.query().unwrap_or(""))?;
        let query = axum::extract::Query::<T>::try_from_uri(&parts.uri)
            .map_err(|error| wrong_parameter(&error.body_text()))?;
        Ok(Self(query.0))
    }
}

/// Refuses a query string with bytes that are no UTF-8: the parser would put U+FFFD in their place.
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

/// Returns true for the words with which the standard library refuses a text that is no whole number of its type.
fn is_of_a_number(words: &str) -> bool {
    ["invalid digit found in string", "cannot parse integer from empty string", "number too"]
        .iter()
        .any(|begin| words.starts_with(begin))
}

/// Names the parameter that a query string could not be read for.
fn wrong_parameter(words: &str) -> Problem {
    let words = words.strip_prefix("Failed to deserialize query string: ").unwrap_or(words);
    match words.split_once(": ") {
        _ if words.contains("unknown field `") => {
            let name = words.split('`').nth(1).unwrap_or("query");
            let allowed = words.rfind(", expected").map_or("", |at| &words[at + 2..]);
            let allowed = cut(allowed, EXPECTED_CHARS_MAX);
            Problem::parameter(name, format!("there is no such parameter here; {allowed}"))
        }
        Some(("limit", why)) if is_of_a_number(why) => {
            Problem::parameter("limit", format!("a whole number from 1 to {LIMIT_MAX} is allowed"))
        }
        Some((name, why)) if is_of_a_number(why) => {
            Problem::parameter(name, "a whole number is allowed, as in 42")
        }
        Some((name, why)) => Problem::parameter(name, shortened(why)),
        None => Problem::parameter("query", shortened(words)),
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
    fn every_kind_of_wrong_body_is_told_apart() {
        for (body, code, place) in [
            ("{", "malformed-body", "line 1"),
            ("", "malformed-body", "EOF"),
            ("[[]]", "validation-failed", "an object is wanted"),
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
            (
                r#"{"lines":[{"quantity":1,"quantity":2}]}"#,
                "validation-failed",
                "`quantity` stands there twice",
            ),
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
    fn queries_that_are_not_utf_8_are_refused() {
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
    fn messages_quote_little_of_a_body_or_a_query() {
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
            let problem = wrong_parameter(&error.body_text());
            assert!(problem.detail().chars().count() < 600, "{problem:?}");
        }
    }
}
