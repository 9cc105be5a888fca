//! Texts that may be about a person.

use std::fmt;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::{KeyRing, Person, Personal};

/// A text of the shop's own, or one that somebody gave, which is personal. Logs of before 2026-11-30 hold both
/// as plain text. Never shown by `Debug`.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum PersonalText {
    /// A plain text.
    Plain(String),
    /// A text under the key of a person.
    Personal(Personal<String>),
}

impl PersonalText {
    /// Makes a plain text personal: of this person. One that is personal, or empty, stays as it is.
    pub fn of(self, person: &Person, field: &'static str) -> Self {
        match self {
            Self::Plain(text) if !text.is_empty() => {
                Self::Personal(Personal::new(person.clone(), field, text))
            }
            other => other,
        }
    }

    /// The person whose key opens it; none for a plain text.
    pub fn person(&self) -> Option<&Person> {
        match self {
            Self::Plain(_) => None,
            Self::Personal(text) => Some(text.person()),
        }
    }

    /// The text; none when the person is erased.
    pub fn reveal(&self, keys: &KeyRing) -> Option<String> {
        match self {
            Self::Plain(text) => Some(text.clone()),
            Self::Personal(text) => text.reveal(keys),
        }
    }

    /// The plain text; none for a personal one.
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
    fn a_text_of_an_older_log_is_plain_and_a_personal_one_is_opened_by_its_key() {
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
