//! Personal data in events.

use std::fmt;

use serde::{Deserialize, Serialize};

/// A value that tells something about a person: a name, an e-mail address, a line of an address.
///
/// It is written into events and read from them like the value itself, and never shown by `Debug`, so
/// that no log line, error or panic can give it away. Whoever needs it says so by [`Personal::reveal`].
#[derive(Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Personal<T>(T);

impl<T> Personal<T> {
    /// Wraps a value.
    pub fn new(value: T) -> Self {
        Self(value)
    }

    /// The value, for those who have a reason.
    pub fn reveal(&self) -> &T {
        &self.0
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_never_shows_a_personal_value() {
        assert_eq!(format!("{:?}", Some(Personal::new("Ada"))), "Some((personal))");
    }
}
