//! The catalogue of problem codes: the status, the title and the explanation of each code.
//!
//! Each aggregate declares its codes in its `rejection.rs`, and sign-in in its `problem.rs`. This module
//! declares all other codes and gives each kind of problem its status.
//!
//! The `type` of a problem document is the address of the page that shows the code's entry: `/problems/CODE`.
//! Codes are part of the public API and never change. A code without an entry is sent as `internal`.

use axum::Router;
use axum::extract::Path;
use axum::http::StatusCode;
use axum::response::Html;
use axum::routing::get;
use souk_domain::problem::{self, ProblemEntry, ProblemKind};

use crate::problem::Problem;
use crate::routes::operations::PROBLEM;

/// Entry of the catalogue: a problem code and its explanation.
#[derive(Clone, Copy, Debug)]
pub struct Entry {
    /// Problem code. It is part of the public API and never changes.
    pub code: &'static str,
    /// HTTP status of the response.
    pub status: u16,
    /// The problem in a few words.
    pub title: &'static str,
    /// Cause of the problem, and what the caller can do about it.
    pub explanation: &'static str,
}

const fn entry(code: &'static str, status: u16, title: &'static str, explanation: &'static str) -> Entry {
    Entry { code, status, title, explanation }
}

/// Entry for an error of the shop itself.
const INTERNAL: Entry =
    entry("internal", 500, "Internal error", "The error is in the log, under the correlation id.");

/// Entries of the codes that concern neither an aggregate nor sign-in.
const OF_HTTP: &[Entry] = &[
    entry(
        "malformed-body",
        400,
        "The body is not JSON",
        "The detail says where the JSON parser stopped. Send one JSON document in UTF-8.",
    ),
    entry(
        "api-version-missing",
        400,
        "The version header is missing",
        "Send `X-API-Version: v1` with every request to /api.",
    ),
    entry(
        "body-not-allowed",
        400,
        "This route takes no body",
        "Send the request without a body. `GET /openapi.json` says which routes take one.",
    ),
    entry("api-version-unsupported", 400, "The API version is not supported", "This server supports v1."),
    entry(
        "invalid-parameter",
        400,
        "A parameter or header is invalid",
        "The detail names the parameter or header and the allowed values.",
    ),
    entry(
        "unauthenticated",
        401,
        "Sign-in required",
        "The token is missing, expired or not signed by this shop. Sign in, or create a token with `souk token`.",
    ),
    entry(
        "invalid-signature",
        401,
        "The signature is wrong",
        "Sign the raw body with HMAC-SHA256 under the shared secret and send it in hex as `X-Razorpay-Signature`.",
    ),
    entry("forbidden", 403, "Not allowed", "The token does not have the role that this request needs."),
    entry("not-found", 404, "Not found", "The resource does not exist, or it belongs to another customer."),
    entry(
        "method-not-allowed",
        405,
        "The method is not allowed",
        "The resource does not support this method. The header `Allow` lists the methods that it supports.",
    ),
    entry(
        "idempotency-in-flight",
        409,
        "A request with this key is still in progress",
        "Another request with the same idempotency key is not finished. Wait a moment and repeat.",
    ),
    entry(
        "still-parked",
        409,
        "The retry failed again",
        "The detail names the event that can't be applied. Fix the program, or skip the event with a reason.",
    ),
    entry(
        "build-not-ready",
        409,
        "The new build can't take over yet",
        "The detail says why. `souk replay` lets the build catch up and tries again.",
    ),
    entry(
        "revision-conflict",
        409,
        "Too many concurrent changes",
        "Other requests changed the resource at the same time, on every try. Repeat the request.",
    ),
    entry(
        "revision-mismatch",
        412,
        "The resource has changed",
        "Read the resource again and send its new revision in `If-Match`.",
    ),
    entry(
        "body-too-large",
        413,
        "The body is too large",
        "The detail says how many bytes the route accepts: 1 MiB at most.",
    ),
    entry(
        "unsupported-media-type",
        415,
        "The content type is not supported",
        "Send `Content-Type: application/json`.",
    ),
    entry(
        "validation-failed",
        422,
        "Some fields are invalid",
        "`errors` lists each invalid field with the values that are allowed.",
    ),
    entry(
        "idempotency-key-reused",
        422,
        "The idempotency key was used for another request",
        "Each request needs a key of its own. Use a new key.",
    ),
    entry(
        "request-timeout",
        408,
        "The body took too long",
        "Nothing was done. Repeat the request, and send the body without long pauses.",
    ),
    entry(
        "export-in-progress",
        429,
        "Another export is in progress",
        "Only one export per person can run at a time. Read the first one to its end, or close its connection, and repeat.",
    ),
    entry("rate-limited", 429, "Too many requests", "Wait for the number of seconds in `Retry-After`."),
    INTERNAL,
    entry(
        "keys-unavailable",
        503,
        "Personal data is unavailable",
        "The store of the keys that encrypt personal data can't be reached. Repeat the request after a moment.",
    ),
    entry(
        "read-model-behind",
        503,
        "The read model is behind",
        "The read model has not reached the requested position. Repeat after a moment, or request an earlier position.",
    ),
    entry(
        "upstream-unavailable",
        503,
        "An upstream service does not respond",
        "The detail names the service. Repeat the request after a moment.",
    ),
    entry(
        "overloaded",
        503,
        "The server is overloaded",
        "Nothing was done. Wait for the number of seconds in `Retry-After`, then repeat, with fewer requests at once.",
    ),
    entry(
        "log-unavailable",
        503,
        "The event log accepts no writes",
        "The disk of the event log is full or has failed. Reads still work. Operators find the reason at /health/ready.",
    ),
];

/// Returns the entries of all problem codes of the shop.
pub fn entries() -> impl Iterator<Item = Entry> {
    let declared_elsewhere = problem::entries().chain(souk_sign_in::PROBLEMS);
    OF_HTTP.iter().copied().chain(declared_elsewhere.map(Entry::from))
}

/// Returns the entry of a code. For a code without an entry it returns the entry of `internal`; a test checks
/// that the shop uses no such code.
pub fn entry_of(code: &str) -> Entry {
    find(code).unwrap_or(INTERNAL)
}

fn find(code: &str) -> Option<Entry> {
    entries().find(|entry| entry.code == code)
}

impl Entry {
    /// Returns the HTTP status as axum's type.
    pub fn status(&self) -> StatusCode {
        StatusCode::from_u16(self.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
    }
}

impl From<&ProblemEntry> for Entry {
    fn from(problem: &ProblemEntry) -> Self {
        let status = match problem.kind {
            ProblemKind::Invalid => 400,
            ProblemKind::Forbidden => 403,
            ProblemKind::Missing => 404,
            ProblemKind::Conflict => 409,
            ProblemKind::Unavailable => 503,
        };
        entry(problem.code, status, problem.title, problem.explanation)
    }
}

/// Returns the route of the explanation pages, `/problems/{code}`.
pub fn pages<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new().route(PROBLEM, get(page))
}

async fn page(Path(code): Path<String>) -> Result<Html<String>, Problem> {
    let entry = find(&code).ok_or_else(|| Problem::new("not-found", "no problem has this code"))?;
    let Entry { code, status, title, explanation } = entry;
    Ok(Html(format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>{title}</title>\
         <h1>{title}</h1><p><code>{code}</code>, status {status}</p><p>{explanation}</p></html>"
    )))
}

#[cfg(test)]
mod tests;
