//! Rejections as problems, in one place.

use souk_domain::product::ProductRejection;
use souk_eventsourcing::{CommandError, Rejection};
use souk_http::Problem;
use souk_http::catalogue::place_of;

/// The problem of a command that was not done.
pub fn problem<R: Rejection>(error: CommandError<R>) -> Problem {
    match error {
        CommandError::Rejected(rejection) => match place_of(rejection.code()) {
            Some(pointer) => Problem::field(pointer, rejection.code(), rejection.to_string()),
            None => Problem::new(code_of(rejection.code()), rejection.to_string()),
        },
        CommandError::KeyReused => {
            Problem::new("idempotency-key-reused", "the key was sent before with another request")
        }
        CommandError::RevisionMismatch { current } => {
            let current =
                current.map_or("not there".to_owned(), |revision| format!("at revision {revision}"));
            Problem::new("revision-mismatch", format!("the resource is {current}"))
        }
        CommandError::Conflict { attempts } => Problem::new(
            "revision-conflict",
            format!("others were quicker {attempts} times; repeat the request"),
        ),
        CommandError::TooLarge { what, actual, limit } => {
            Problem::new("body-too-large", format!("{what} would be {actual}, at most {limit} are allowed"))
        }
        error @ CommandError::Undecided { .. } => Problem::internal(&error),
        CommandError::Store(error) => error.into(),
    }
}

/// Outside there is one code for everything that is not there, whatever it would be.
fn code_of(code: &'static str) -> &'static str {
    if code.ends_with("-not-found") { "not-found" } else { code }
}

/// The same for products, whose content is refused field by field.
pub fn product_problem(error: CommandError<ProductRejection>) -> Problem {
    match error {
        CommandError::Rejected(ProductRejection::InvalidContent(errors)) => Problem::fields(errors),
        error => problem(error),
    }
}

/// The same where the value that a rejection is about stands elsewhere in the request.
pub fn problem_at<R: Rejection>(pointer: &str, error: CommandError<R>) -> Problem {
    match error {
        CommandError::Rejected(rejection) if place_of(rejection.code()).is_some() => {
            Problem::field(pointer, rejection.code(), rejection.to_string())
        }
        error => problem(error),
    }
}
