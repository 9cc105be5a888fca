//! Texts that may be personal data.

use std::fmt;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::{KeyRing, Person, Personal};

/// A text that is either plain or personal. A text of the shop is plain; a text that a person entered is
/// personal, and is sealed in events. Logs written before 2026-11-30 store both as plain text. `Debug` does
/// not print the text.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PersonalText {
    /// A plain text.
    Plain(String),
    /// A personal text, which is sealed with the key of a person.
    Personal(Personal<String>),
}

impl PersonalText {
    /// Turns a plain text into personal data of a person. A text that is already personal, or empty, stays as
    /// it is.
    pub fn of(self, person: &Person, field: &'static str) -> Self {
        match self {
            Self::Plain(text) if !text.is_empty() => {
                Self::Personal(Personal::new(person.clone(), field, text))
            }
            other => other,
        }
    }

    /// Returns the person whose key opens the text; `None` for a plain text.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Plain(_) => None,
            Self::Personal(text) => Some(text.person()),
        }
    }

    /// Returns the text; `None` if it is sealed and `keys` does not hold the person's key, for example after
    /// an erasure.
    pub fn reveal(&self, keys: &KeyRing) -> Option<String> {
        match self {
            Self::Plain(text) => Some(text.clone()),
            Self::Personal(text) => text.reveal(keys),
        }
    }

    /// Returns a plain text; `None` for a personal one.
    pub fn plain(&self) -> Option<&str> {
        match self {
            Self::Plain(text) => Some(text),
            Self::Personal(_) => None,
        }
    }
}

impl Default for PersonalText {
    fn default() -> Self {
        Self::Plain(String::new())
    }
}

impl From<String> for PersonalText {
    fn from(text: String) -> Self {
        Self::Plain(text)
    }
}

impl From<&str> for PersonalText {
    fn from(text: &str) -> Self {
        Self::Plain(text.to_owned())
    }
}

impl fmt::Debug for PersonalText {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

#[cfg(test)]
mod tests {
    use souk_eventsourcing::testkit::key_of;

    use super::*;

    #[test]
    fn a_text_of_an_older_log_is_plain_and_a_personal_text_needs_its_key() {
        let older: PersonalText = serde_json::from_str("\"too late\"").unwrap();
        assert_eq!(older.plain(), Some("too late"));
        let ada = Person::new("customer", "ada");
        let text = older.of(&ada, "reason");
        assert_eq!((text.plain(), text.person()), (None, Some(&ada)));
        let keys: KeyRing = [(ada.clone(), key_of(&ada))].into_iter().collect();
        assert_eq!(text.reveal(&keys).as_deref(), Some("too late"));
        assert_eq!(format!("{text:?}"), "(personal)");
        assert_eq!(PersonalText::from("").of(&ada, "reason"), "".into());
    }
}
