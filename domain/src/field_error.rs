//! What is wrong with a field of somebody's input.

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
    /// An error of a field.
    pub fn new(pointer: impl Into<String>, code: &'static str, detail: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), code, detail: detail.into() }
    }
}

/// Several at once, as a rejection shows them.
pub fn joined(errors: &[FieldError]) -> String {
    // The whole document has the empty pointer: there is no place to name.
    let of_one = |error: &FieldError| match error.pointer.as_str() {
        "" => error.detail.clone(),
        pointer => format!("{pointer}: {}", error.detail),
    };
    errors.iter().map(of_one).collect::<Vec<_>>().join("; ")
}
