//! Personal data in events: sealed on its way into the log, with a key of the person it tells about.
//!
//! A decider makes a [`Personal`] value open, as somebody said it. Behind the last decision, on the way
//! into the log, [`seal`] replaces it by a [`Sealed`] one; everything that reads the log (states, process
//! streams, read models) holds that, and may copy it as it is. Whoever shows it to somebody opens it with
//! the person's key. When that key is destroyed, the value reads as erased, everywhere.

mod index;
mod keys;
mod seal;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::EventId;

pub use index::{Linked, PersonIndex};
pub use keys::{KeyRing, KeysUnavailable, NONCE_BYTES, PersonKey, PersonKeys};
pub use seal::{People, people, seal, sealed_people};

/// Whom personal data tells about, as in `customer:42`: what one key is for, and what is erased at once.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(Arc<str>);

impl Person {
    /// A person of a kind, by an opaque id.
    pub fn new(kind: &str, id: &str) -> Self {
        Self(format!("{kind}:{id}").into())
    }

    /// Reads what [`Person::as_str`] gave.
    pub fn parse(text: &str) -> Self {
        Self(text.into())
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The kind and the id.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or((&self.0, ""))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A value that tells something about a person: a name, an e-mail address, a postal address.
///
/// Never shown by `Debug`, so that no log line, error or panic can give it away.
#[derive(Clone, PartialEq, Eq)]
pub enum Personal<T> {
    /// As somebody said it; it becomes sealed on its way into the log.
    Open(Open<T>),
    /// As the log has it.
    Sealed(Sealed),
}

/// A value that is yet to be sealed.
#[derive(Clone, PartialEq, Eq)]
pub struct Open<T> {
    person: Person,
    field: &'static str,
    value: T,
}

/// A value under seal, or the mark that it is erased.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Whom it tells about.
    pub person: Person,
    /// The event that it was first written in; a copy in a later event names the same.
    pub event: EventId,
    /// What it was called there.
    pub field: String,
    /// Nonce and sealed JSON, in base 64; none when the person's key was destroyed before it was written.
    #[serde(default)]
    pub sealed: Option<String>,
}

impl<T> Personal<T> {
    /// A value of a person. Field and event tell sealed values apart: none can stand in another's place.
    pub fn new(person: Person, field: &'static str, value: T) -> Self {
        Self::Open(Open { person, field, value })
    }

    /// Whom it tells about.
    pub fn person(&self) -> &Person {
        match self {
            Self::Open(open) => &open.person,
            Self::Sealed(sealed) => &sealed.person,
        }
    }

    /// Whether the person was erased before it was written. One that was written before that says so only
    /// when it is opened.
    pub fn is_erased(&self) -> bool {
        matches!(self, Self::Sealed(Sealed { sealed: None, .. }))
    }
}

impl<T: DeserializeOwned + Clone> Personal<T> {
    /// The value, for those who have a reason; none when it is erased.
    pub fn reveal(&self, keys: &KeyRing) -> Option<T> {
        match self {
            Self::Open(open) => Some(open.value.clone()),
            Self::Sealed(sealed) => {
                let plain = seal::open(sealed, keys.get(&sealed.person)?)?;
                serde_json::from_slice(&plain).ok()
            }
        }
    }
}

impl<T> fmt::Debug for Personal<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

/// How an open value is written: the text before the value is what [`seal`] looks for. No other JSON has
/// it: in a text its quotes would be escaped, and names with control characters are refused everywhere.
#[derive(Serialize)]
struct OpenForm<'a, T> {
    #[serde(rename = "\u{0}open")]
    value: &'a T,
    person: &'a Person,
    field: &'a str,
}

impl<T: Serialize> Serialize for Personal<T> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Open(Open { person, field, value }) => {
                OpenForm { value, person, field }.serialize(serializer)
            }
            Self::Sealed(sealed) => sealed.serialize(serializer),
        }
    }
}

/// Only sealed values can be read: an open one never reaches the log.
impl<'de, T> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Sealed::deserialize(deserializer).map(Self::Sealed)
    }
}

#[cfg(test)]
mod tests;
