//! Problems: every answer that is no success (RFC 9457).

use axum::Json;
use axum::http::{HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use serde::Serialize;
use souk_domain::FieldError;
use souk_domain::text::{cut, quoted};
use souk_eventsourcing::{KeysUnavailable, Position, StoreError};
use souk_sign_in::CredentialsUnavailable;
use souk_sign_in::password::TooManyWait;
use utoipa::ToSchema;

use crate::catalogue::entry_of;
use crate::shapes::POSITION;

/// Fields that one problem names; the last entry counts the others.
pub const ERRORS_MAX: usize = 100;
/// Characters of the detail of a problem.
const DETAIL_CHARS_MAX: usize = 2_000;
/// Characters of the path that a problem repeats.
const INSTANCE_CHARS_MAX: usize = 1_000;

/// A problem on its way out. The outer layer adds what only it knows: where and in which request.
#[derive(Clone, Debug)]
pub struct Problem {
    code: &'static str,
    detail: String,
    errors: Vec<FieldError>,
    retry_after_s: Option<u32>,
    position: Option<Position>,
}

/// A problem as it is sent.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Problem")]
pub struct ProblemBody {
    /// A page of this server that explains the code.
    #[serde(rename = "type")]
    #[schema(example = "/problems/insufficient-stock")]
    pub kind: String,
    /// What it is, in a few words.
    pub title: String,
    /// The HTTP status.
    pub status: u16,
    /// Stable code.
    #[schema(example = "insufficient-stock")]
    pub code: String,
    /// What went wrong this time.
    pub detail: String,
    /// The path that was asked.
    pub instance: String,
    /// The request, as operators find it in the logs.
    pub correlation_id: String,
    /// Fields that are not allowed: the first hundred, and then how many more there are.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub errors: Vec<ProblemField>,
    /// The position that the read models have reached.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub position: Option<String>,
}

/// A field that is not allowed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ProblemField {
    /// RFC 6901 pointer to the field.
    #[schema(example = "/lines/0/quantity")]
    pub pointer: String,
    /// Stable code.
    pub code: String,
    /// What is wrong and what is allowed.
    pub detail: String,
}

impl Problem {
    /// A problem by its code in the catalogue.
    pub fn new(code: &'static str, detail: impl Into<String>) -> Self {
        let detail = cut(detail, DETAIL_CHARS_MAX);
        Self { code, detail, errors: Vec::new(), retry_after_s: None, position: None }
    }

    /// A parameter or header that is not allowed.
    pub fn parameter(name: &str, allowed: impl std::fmt::Display) -> Self {
        Self::new("invalid-parameter", format!("`{}`: {allowed}", quoted(name)))
    }

    /// Fields that are not allowed.
    pub fn fields(errors: Vec<FieldError>) -> Self {
        let detail = souk_domain::field_error::joined(&errors);
        Self::new("validation-failed", detail).with_errors(errors)
    }

    /// A field that is not allowed.
    pub fn field(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self::fields(vec![FieldError::new(pointer, code, detail)])
    }

    /// The same with fields that show where it lies, of which at most [`ERRORS_MAX`] are named.
    pub fn with_errors(self, mut errors: Vec<FieldError>) -> Self {
        if errors.len() > ERRORS_MAX {
            let more = errors.len() - ERRORS_MAX;
            errors.truncate(ERRORS_MAX);
            let detail = format!("{more} more errors are not listed");
            errors.push(FieldError::new("", "more-errors", detail));
        }
        Self { errors, ..self }
    }

    /// The same with other places of the fields, for a request that says in another way what was checked.
    pub fn with_pointers(mut self, place: impl Fn(&str) -> Option<String>) -> Self {
        for error in &mut self.errors {
            if let Some(pointer) = place(&error.pointer) {
                error.pointer = pointer;
            }
        }
        if self.code == "validation-failed" {
            self.detail = cut(souk_domain::field_error::joined(&self.errors), DETAIL_CHARS_MAX);
        }
        self
    }

    /// The same with the seconds after which a repeat may help.
    pub fn retry_after(self, seconds: u32) -> Self {
        Self { retry_after_s: Some(seconds), ..self }
    }

    /// The same with the position that was reached.
    pub fn reached(self, position: Position) -> Self {
        Self { position: Some(position), ..self }
    }

    /// Something that is nobody's fault outside; told to operators, not to the client.
    pub fn internal(error: &dyn std::fmt::Display) -> Self {
        tracing::error!(%error, "a request failed");
        Self::new("internal", "something went wrong here; it was logged")
    }

    /// Its code.
    pub fn code(&self) -> &'static str {
        self.code
    }

    /// What went wrong, in words.
    pub fn detail(&self) -> &str {
        &self.detail
    }

    /// Its status.
    pub fn status(&self) -> StatusCode {
        entry_of(self.code).status()
    }

    /// The answer, complete.
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
            instance: cut(instance, INSTANCE_CHARS_MAX),
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
                Self::new("log-unavailable", "the log takes no writes at the moment").retry_after(5)
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
        tracing::error!(%error, "nobody can sign in");
        Self::new("credentials-unavailable", "nobody can sign in at the moment").retry_after(5)
    }
}

impl From<TooManyWait> for Problem {
    fn from(error: TooManyWait) -> Self {
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
    fn a_problem_names_a_hundred_errors_and_counts_the_others() {
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
    fn a_problem_repeats_little_of_what_was_sent() {
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
