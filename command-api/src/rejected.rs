//! Conversion of rejected and failed commands to problems.

use souk_domain::problem::PublicRejection;
use souk_domain::product::ProductRejection;
use souk_eventsourcing::CommandError;
use souk_http::Problem;

/// Returns the problem for a command that was rejected or failed.
pub fn problem<R: PublicRejection>(error: CommandError<R>) -> Problem {
    match error {
        CommandError::Rejected(rejection) => match pointer_of(&rejection) {
            Some(pointer) => Problem::field(pointer, rejection.code(), rejection.to_string()),
            None => Problem::new(code_of(rejection.code()), rejection.to_string()),
        },
        CommandError::KeyReused => {
            Problem::new("idempotency-key-reused", "this key was already used for a different request")
        }
        CommandError::RevisionMismatch { current } => {
            let detail = current.map_or("the resource does not exist".to_owned(), |revision| {
                format!("the resource is at revision {revision}")
            });
            Problem::new("revision-mismatch", detail)
        }
        CommandError::Conflict { attempts } => Problem::new(
            "revision-conflict",
            format!("other requests changed the resource first, {attempts} times; repeat the request"),
        ),
        CommandError::TooLarge { what, actual, limit } => {
            Problem::new("body-too-large", format!("{what} would be {actual}; at most {limit} are allowed"))
        }
        error @ CommandError::Undecided { .. } => Problem::internal(&error),
        CommandError::Store(error) => error.into(),
    }
}

/// Returns the JSON pointer of the request field that a rejection is usually about, or `None` if the
/// rejection is about the aggregate.
fn pointer_of<R: PublicRejection>(rejection: &R) -> Option<&'static str> {
    R::FIELD_POINTERS.iter().find(|(code, _)| *code == rejection.code()).map(|(_, pointer)| *pointer)
}

/// Returns the public code of a rejection: for everything that does not exist it is `not-found`.
fn code_of(code: &'static str) -> &'static str {
    if code.ends_with("-not-found") { "not-found" } else { code }
}

/// Returns the problem for a command to a product. Invalid content has one error for each field.
pub fn product_problem(error: CommandError<ProductRejection>) -> Problem {
    match error {
        CommandError::Rejected(ProductRejection::InvalidContent(errors)) => Problem::fields(errors),
        error => problem(error),
    }
}

/// Returns the problem for a command. A rejected value is reported at `pointer`, not at its usual field.
pub fn problem_at<R: PublicRejection>(pointer: &str, error: CommandError<R>) -> Problem {
    match error {
        CommandError::Rejected(rejection) if pointer_of(&rejection).is_some() => {
            Problem::field(pointer, rejection.code(), rejection.to_string())
        }
        error => problem(error),
    }
}
