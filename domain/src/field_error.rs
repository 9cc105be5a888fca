//! What is wrong with a field of somebody's input.

use crate::text::cut;

/// Characters of a pointer that is shown: the names in it are input.
const POINTER_CHARS_MAX: usize = 200;
/// Characters of what is said about one field.
const DETAIL_CHARS_MAX: usize = 1_000;
/// Errors that are joined into one text; the others are counted.
const JOINED_MAX: usize = 10;

/// A field and what is wrong with it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FieldError {
    /// RFC 6901 pointer to the field, as in `/lines/0/quantity`.
    pub pointer: String,
    /// Stable code.
    pub code: &'static str,
    /// What is wrong and what is allowed.
    pub detail: String,
}

impl FieldError {
    /// An error of a field. A very long pointer or detail is cut.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: cut(pointer, POINTER_CHARS_MAX), code, detail: cut(detail, DETAIL_CHARS_MAX) }
    }
}

/// Several at once, as a rejection shows them: the first ten, and how many more there are.
pub fn joined(errors: &[FieldError]) -> String {
    // The whole document has the empty pointer: there is no place to name.
    let of_one = |error: &FieldError| match error.pointer.as_str() {
        "" => error.detail.clone(),
        pointer => format!("{pointer}: {}", error.detail),
    };
    let mut words: Vec<String> = errors.iter().take(JOINED_MAX).map(of_one).collect();
    if errors.len() > JOINED_MAX {
        words.push(format!("and {} more", errors.len() - JOINED_MAX));
    }
    words.join("; ")
}
