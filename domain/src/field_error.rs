//! Errors in the fields of a request.

use crate::text::truncate;

/// Maximum characters of a pointer. A pointer can contain names that the client sent.
const POINTER_CHARS_MAX: usize = 200;
/// Maximum characters of the detail of one error.
const DETAIL_CHARS_MAX: usize = 1_000;
/// Maximum number of errors that are joined into one text; the rest is only counted.
const JOINED_MAX: usize = 10;

/// An error in one field.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// JSON pointer (RFC 6901) to the field, such as `/lines/0/quantity`.
    pub pointer: String,
    /// Stable error code.
    pub code: &'static str,
    /// Description of the error and of the allowed values.
    pub detail: String,
}

impl FieldError {
    /// Returns an error. A very long pointer or detail is cut.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self {
            pointer: truncate(pointer, POINTER_CHARS_MAX),
            code,
            detail: truncate(detail, DETAIL_CHARS_MAX),
        }
    }
}

/// Joins errors into one text for a rejection: the first ten errors, and the number of further errors.
pub fn joined(errors: &[FieldError]) -> String {
    // The empty pointer means the whole document, so the text names no field.
    let text_of = |error: &FieldError| match error.pointer.as_str() {
        "" => error.detail.clone(),
        pointer => format!("{pointer}: {}", error.detail),
    };
    let mut texts: Vec<String> = errors.iter().take(JOINED_MAX).map(text_of).collect();
    if errors.len() > JOINED_MAX {
        texts.push(format!("and {} more", errors.len() - JOINED_MAX));
    }
    texts.join("; ")
}
