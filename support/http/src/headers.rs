//! Request headers that several routes share: `Idempotency-Key`, `If-Match`, `Prefer` and `X-Min-Position`.
//!
//! A header with an invalid value is refused with `invalid-parameter`. A header that is left out is `None`.

use std::time::Duration;

use axum::extract::{FromRequestParts, MatchedPath};
use axum::http::request::Parts;
use axum::http::{HeaderMap, HeaderValue, Method, header};
use souk_eventsourcing::{CorrelationId, IfMatch, Position, Revision};
use uuid::Uuid;

use crate::problem::Problem;

/// Largest length of an idempotency key, in characters.
const KEY_CHARS_MAX: usize = 255;
/// Largest number of tags in `If-Match`.
const TAGS_MAX: usize = 100;
/// Characters that separate the tags of a list. RFC 9110 allows empty elements.
const BETWEEN_TAGS: [char; 3] = [' ', '\t', ','];
/// Longest wait that a client can request, in seconds.
const WAIT_S_MAX: u64 = 30;

/// Route and headers of a request that writes.
#[derive(Clone, Debug)]
pub struct WriteHeaders {
    /// HTTP method.
    pub method: Method,
    /// Path template of the route, such as `/api/orders/{id}`.
    pub path: MatchedPath,
    /// Value of `Idempotency-Key`.
    pub key: Option<String>,
    /// Revisions that `If-Match` accepts.
    pub if_match: Option<IfMatch>,
    /// Time that the client is willing to wait, from `Prefer: wait=…`.
    pub wait: Option<Duration>,
    /// Correlation id of the request, in the form in which the event log stores it.
    pub correlation_id: CorrelationId,
}

/// Headers of a request that reads.
#[derive(Clone, Copy, Debug)]
pub struct ReadHeaders {
    /// Position that the read model must have reached, from `X-Min-Position`.
    pub min_position: Option<Position>,
    /// Time that the client is willing to wait, from `Prefer: wait=…`.
    pub wait: Option<Duration>,
}

impl<S: Send + Sync> FromRequestParts<S> for WriteHeaders {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let correlation_id = parts.extensions.get::<CorrelationId>().cloned();
        let path = parts.extensions.get::<MatchedPath>().cloned();
        Ok(Self {
            method: parts.method.clone(),
            path: path.ok_or_else(|| Problem::internal(&"the handler of a write has no route"))?,
            key: idempotency_key(&parts.headers)?,
            if_match: if_match(&parts.headers)?,
            wait: wait(&parts.headers)?,
            correlation_id: correlation_id.unwrap_or_else(|| Uuid::nil().into()),
        })
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ReadHeaders {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        Ok(Self { min_position: min_position(&parts.headers)?, wait: wait(&parts.headers)? })
    }
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Result<Option<&'a str>, Problem> {
    headers.get(name).map(as_ascii(name)).transpose()
}

fn as_ascii<'a>(name: &str) -> impl Fn(&'a HeaderValue) -> Result<&'a str, Problem> {
    move |value| value.to_str().map_err(|_| Problem::parameter(name, "visible ASCII characters are allowed"))
}

fn idempotency_key(headers: &HeaderMap) -> Result<Option<String>, Problem> {
    let Some(key) = text(headers, "idempotency-key")? else { return Ok(None) };
    let allowed = (1..=KEY_CHARS_MAX).contains(&key.len()) && key.bytes().all(|byte| byte.is_ascii_graphic());
    if !allowed {
        return Err(Problem::parameter("Idempotency-Key", "1 to 255 visible ASCII characters are allowed"));
    }
    Ok(Some(key.to_owned()))
}

/// Reads `If-Match` (RFC 9110, section 13.1.1): `*`, or a list of tags, which may be spread over several
/// header lines. A tag that is not a revision matches nothing. A weak tag counts as a strong one, although
/// the standard requires strong tags: a proxy that compresses a response weakens its tag, but the revision
/// stays the same.
fn if_match(headers: &HeaderMap) -> Result<Option<IfMatch>, Problem> {
    let name = header::IF_MATCH.as_str();
    let lines = headers.get_all(name).iter().map(as_ascii(name)).collect::<Result<Vec<_>, _>>()?;
    if lines.is_empty() {
        return Ok(None);
    }
    let value = lines.join(",");
    if value.trim() == "*" {
        return Ok(Some(IfMatch::Any));
    }
    let refused = || {
        let allowed = format!("revisions in quotes, as in \"5\", at most {TAGS_MAX}, or * are allowed");
        Problem::parameter("If-Match", allowed)
    };
    let tags = tags(&value).ok_or_else(refused)?;
    Ok(Some(IfMatch::OneOf(tags.into_iter().filter_map(revision).collect())))
}

/// Returns the tags of a list, without quotes. Returns `None` if the list is malformed, empty or too long. A
/// tag may contain a comma.
fn tags(list: &str) -> Option<Vec<&str>> {
    let mut tags = Vec::new();
    let mut rest = list.trim_start_matches(BETWEEN_TAGS);
    while !rest.is_empty() {
        let quoted = rest.strip_prefix("W/").unwrap_or(rest).strip_prefix('"')?;
        let (tag, after) = quoted.split_once('"')?;
        if tag.contains(' ') || tags.len() == TAGS_MAX {
            return None;
        }
        tags.push(tag);
        let after = after.trim_start_matches([' ', '\t']);
        if !after.is_empty() && !after.starts_with(',') {
            return None;
        }
        rest = after.trim_start_matches(BETWEEN_TAGS);
    }
    (!tags.is_empty()).then_some(tags)
}

/// Returns the revision that a tag names, if the tag has exactly the form in which the shop writes it.
fn revision(tag: &str) -> Option<Revision> {
    let revision: u64 = tag.parse().ok()?;
    (revision.to_string() == tag).then_some(Revision(revision))
}

fn wait(headers: &HeaderMap) -> Result<Option<Duration>, Problem> {
    // RFC 7240: the header may occur more than once, names ignore case, a value may be in quotes, and the
    // first preference of a name counts.
    let preferences =
        headers.get_all("prefer").iter().map(as_ascii("prefer")).collect::<Result<Vec<_>, _>>()?;
    let parts = preferences.iter().flat_map(|value| value.split([',', ';']));
    let mut pairs = parts.filter_map(|part| part.split_once('='));
    let Some((_, seconds)) = pairs.find(|(name, _)| name.trim().eq_ignore_ascii_case("wait")) else {
        return Ok(None);
    };
    let seconds = seconds.trim().trim_matches('"');
    let refused = || Problem::parameter("Prefer", format!("wait=0 to wait={WAIT_S_MAX} seconds are allowed"));
    let seconds: u64 = seconds.trim().parse().map_err(|_| refused())?;
    if seconds > WAIT_S_MAX { Err(refused()) } else { Ok(Some(Duration::from_secs(seconds))) }
}

fn min_position(headers: &HeaderMap) -> Result<Option<Position>, Problem> {
    let Some(value) = text(headers, "x-min-position")? else { return Ok(None) };
    let refused = |_| Problem::parameter("X-Min-Position", "a position as a decimal number is allowed");
    value.trim().parse().map_err(refused).map(|position| Some(Position(position)))
}

#[cfg(test)]
mod tests {
    use axum::http::HeaderName;

    use super::*;

    fn with(name: &'static str, value: &str) -> HeaderMap {
        HeaderMap::from_iter([(HeaderName::from_static(name), value.parse().unwrap())])
    }

    #[test]
    fn if_match_takes_lists_weak_tags_and_the_asterisk() {
        let one_of =
            |revisions: &[u64]| Some(IfMatch::OneOf(revisions.iter().copied().map(Revision).collect()));
        for (value, expected) in [
            ("\"5\"", one_of(&[5])),
            ("W/\"1\"", one_of(&[1])),
            ("\"1\", W/\"2\" ,\"3\"", one_of(&[1, 2, 3])),
            (" , \"1\",, ", one_of(&[1])),
            ("\"a,b\", \"7\"", one_of(&[7])),
            ("\"+1\", \"01\", \"-1\", \"18446744073709551616\", \"\"", one_of(&[])),
            (" * ", Some(IfMatch::Any)),
        ] {
            assert_eq!(if_match(&with("if-match", value)).unwrap(), expected, "{value}");
        }
        let mut lines = with("if-match", "\"1\"");
        lines.append("if-match", "W/\"2\"".parse().unwrap());
        assert_eq!(if_match(&lines).unwrap(), one_of(&[1, 2]));
        let many = "\"1\",".repeat(TAGS_MAX + 1);
        for wrong in ["5", "", ",", "\"5", "\"5\" \"6\"", "w/\"5\"", "*, \"5\"", "\"a b\"", many.as_str()] {
            assert!(if_match(&with("if-match", wrong)).is_err(), "{wrong}");
        }
        assert_eq!(if_match(&HeaderMap::new()).unwrap(), None);
    }

    #[test]
    fn an_invalid_header_is_refused_by_name() {
        assert_eq!(wait(&with("prefer", "respond-async, wait=10")).unwrap(), Some(Duration::from_secs(10)));
        assert_eq!(wait(&with("prefer", "WAIT=\"1\"")).unwrap(), Some(Duration::from_secs(1)));
        assert_eq!(min_position(&with("x-min-position", "42")).unwrap(), Some(Position(42)));
        let mut twice = with("prefer", "respond-async");
        twice.append("prefer", "wait=7".parse().unwrap());
        assert_eq!(wait(&twice).unwrap(), Some(Duration::from_secs(7)));
        assert!(if_match(&with("if-match", "5")).is_err());
        assert!(wait(&with("prefer", "wait=31")).is_err());
        assert!(wait(&with("prefer", "wait=-1")).is_err());
        assert!(min_position(&with("x-min-position", "-1")).is_err());
        assert!(idempotency_key(&with("idempotency-key", "a b")).is_err());
        assert!(idempotency_key(&with("idempotency-key", &"x".repeat(256))).is_err());
    }
}
