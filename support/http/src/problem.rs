//! Problem documents (RFC 9457): the body of every response that is not a success.
//!
//! A handler returns a [`Problem`]. The outermost layer renders it, because only that layer knows the path
//! and the correlation id. All texts are cut to a fixed length, so a problem repeats little of the request.

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use souk_domain::FieldError;
use souk_domain::text::{quoted, truncate};
use souk_eventsourcing::{KeysUnavailable, Position, StoreError};
use souk_sign_in::CredentialsUnavailable;
use souk_sign_in::password::TooManyWaiting;
use utoipa::ToSchema;

use crate::catalogue::entry_of;
use crate::shapes::POSITION;

/// Largest number of invalid fields that one problem lists. One more entry counts the rest.
pub const ERRORS_MAX: usize = 100;
/// Largest length of a problem's detail, in characters.
const DETAIL_CHARS_MAX: usize = 2_000;
/// Largest length of the request path in a problem, in characters.
const INSTANCE_CHARS_MAX: usize = 1_000;

/// A problem before it is rendered. The outermost layer adds the request path and the correlation id.
#[derive(Clone, Debug)]
pub struct Problem {
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_s: Option<u32>,
    position: Option<Position>,
}

/// Problem document: the body of a response that is not a success.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Problem")]
pub struct ProblemBody {
    /// Path of the page on this server that explains the code.
    #[serde(rename = "type")]
    #[schema(example = "/problems/insufficient-stock")]
    pub kind: String,
    /// The problem in a few words.
    pub title: String,
    /// HTTP status of the response.
    pub status: u16,
    /// Problem code. It never changes.
    #[schema(example = "insufficient-stock")]
    pub code: String,
    /// Description of this occurrence of the problem.
    pub detail: String,
    /// Path of the request.
    pub instance: String,
    /// Correlation id of the request. Operators find the request in the logs by this id.
    pub correlation_id: String,
    /// Invalid fields. At most the first 100 are listed; one more entry then counts the rest.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// Position that the read model has reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

/// An invalid field of a request.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemField {
    /// RFC 6901 pointer to the field.
    #[schema(example = "/lines/0/quantity")]
    pub pointer: String,
    /// Error code. It never changes.
    pub code: String,
    /// Description of the error, with the values that are allowed.
    pub detail: String,
}

impl Problem {
    /// Creates a problem with a code of the catalogue.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let detail = truncate(detail, DETAIL_CHARS_MAX);
        Self { code, detail, errors: Vec::new(), retry_after_s: None, position: None }
    }

    /// Creates a problem about an invalid parameter or header.
    pub fn parameter(name: &str, allowed: impl std::fmt::Display) -> Self {
        Self::new("invalid-parameter", format!("`{}`: {allowed}", quoted(name)))
    }

    /// Creates a problem about invalid fields.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail = souk_domain::field_error::joined(&errors);
        Self::new("validation-failed", detail).with_errors(errors)
    }

    /// Creates a problem about one invalid field.
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(pointer, code, detail)])
    }

    /// Sets the invalid fields. At most [`ERRORS_MAX`] are listed; one more entry counts the rest.
    pub fn with_errors(self, mut errors: Vec<FieldError>) -> Self {
        if errors.len() > ERRORS_MAX {
            let more = errors.len() - ERRORS_MAX;
            errors.truncate(ERRORS_MAX);
            let detail = format!("{more} more errors are not listed");
            errors.push(FieldError::new("", "more-errors", detail));
        }
        Self { errors, ..self }
    }

    /// Replaces the pointers of the invalid fields, for a request whose shape differs from the checked value.
    /// `replace` returns the new pointer for an old one, or `None` to keep it.
    pub fn with_pointers(mut self, replace: impl Fn(&str) -> Option<String>) -> Self {
        for error in &mut self.errors {
            if let Some(pointer) = replace(&error.pointer) {
                error.pointer = pointer;
            }
        }
        if self.code == "validation-failed" {
            self.detail = truncate(souk_domain::field_error::joined(&self.errors), DETAIL_CHARS_MAX);
        }
        self
    }

    /// Sets `Retry-After`: the number of seconds after which a retry may succeed.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// Sets the position that the read model has reached.
    pub fn reached(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }

    /// Creates a problem for an error of the shop itself. The error goes to the log, not to the client.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new("internal", "an internal error occurred; it is in the log")
    }

    /// Returns the problem code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// Returns the description of this occurrence.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Returns the HTTP status of the code.
    pub fn status(&self) -> StatusCode {
        entry_of(self.code).status()
    }

    /// Builds the complete response. `instance` is the path of the request.
    pub fn render(&self, instance: &str, correlation_id: &str) -> Response {
        let entry = entry_of(self.code);
        let errors = self.errors.iter().map(|error| ProblemField {
            pointer: error.pointer.clone(),
            code: error.code.to_owned(),
            detail: error.detail.clone(),
        });
        let body = ProblemBody {
            kind: format!("/problems/{}", entry.code),
            title: entry.title.to_owned(),
            status: entry.status,
            code: entry.code.to_owned(),
            detail: self.detail.clone(),
            instance: truncate(instance, INSTANCE_CHARS_MAX),
            correlation_id: correlation_id.to_owned(),
            errors: errors.collect(),
            position: self.position.map(|position| position.to_string()),
        };
        let mut response = (entry.status(), Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("application/problem+json"));
        if entry.code == "unauthenticated" {
            headers.insert(header::WWW_AUTHENTICATE, HeaderValue::from_static("Bearer"));
        }
        if let Some(position) = self.position {
            headers.insert(POSITION, HeaderValue::from(position.0));
        }
        if let Some(seconds) = self.retry_after_s {
            headers.insert(header::RETRY_AFTER, HeaderValue::from(seconds));
        }
        response
    }
}

impl From<StoreError> for Problem {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Unavailable(_) | StoreError::Stopped(_) => {
                tracing::error!(%error, "the log is unavailable");
                Self::new("log-unavailable", "the event log accepts no writes at the moment").retry_after(5)
            }
            StoreError::Damaged(_) => Self::internal(&error),
        }
    }
}

impl From<KeysUnavailable> for Problem {
    fn from(error: KeysUnavailable) -> Self {
        tracing::error!(%error, "personal data can't be read or written");
        Self::new("keys-unavailable", "personal data can't be read or written at the moment").retry_after(5)
    }
}

impl From<CredentialsUnavailable> for Problem {
    fn from(error: CredentialsUnavailable) -> Self {
        tracing::error!(%error, "the credentials store is unavailable");
        Self::new("credentials-unavailable", "sign-in is unavailable at the moment").retry_after(5)
    }
}

impl From<TooManyWaiting> for Problem {
    fn from(error: TooManyWaiting) -> Self {
        Self::new("rate-limited", error.to_string()).retry_after(1)
    }
}

impl IntoResponse for Problem {
    fn into_response(self) -> Response {
        let mut response = self.status().into_response();
        response.extensions_mut().insert(self);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_problem_lists_a_hundred_errors_and_counts_the_rest() {
        let errors = |count: usize| {
            let one = |index| FieldError::new(format!("/lines/{index}/sku"), "unknown-sku", "not for sale");
            Problem::fields((0..count).map(one).collect())
        };
        assert_eq!(errors(ERRORS_MAX).errors.len(), ERRORS_MAX);
        let many = errors(30_000);
        assert_eq!(many.errors.len(), ERRORS_MAX + 1);
        assert_eq!(many.errors[ERRORS_MAX].detail, "29900 more errors are not listed");
        assert!(many.detail.ends_with("; and 29990 more"), "{}", many.detail);
        let conflict = Problem::new("price-changed", "look again").with_errors(many.errors);
        assert_eq!(conflict.errors.len(), ERRORS_MAX + 1);
    }

    #[test]
    fn texts_of_the_request_are_cut_in_a_problem() {
        let long = "x".repeat(1_000_000);
        for problem in [
            Problem::new("not-found", long.clone()),
            Problem::parameter(&long, &long),
            Problem::field(long.clone(), "invalid-value", long.clone()),
        ] {
            assert!(problem.detail.chars().count() <= DETAIL_CHARS_MAX);
            assert!(problem.errors.iter().all(|error| error.pointer.len() + error.detail.len() < 2_000));
        }
    }
}
