//! Personal data in events: encrypted ("sealed") before it is written to the log, with the key of its person.
//!
//! A decider makes unencrypted [`Personal`] values, called *open* values. After the decision and before the
//! append, [`seal`] replaces each open value by a [`Sealed`] one. Everything that reads the log (states,
//! process streams, read models) holds sealed values, and may copy them into other events. Code that shows a
//! value to a user decrypts it with the person's key ([`Personal::reveal`]).
//!
//! Invariants: no open value reaches the log. After a person's key is destroyed, no copy of the person's data
//! can be decrypted. `Debug` never shows a personal value.
//!
//! On failure: without the person's key, [`Personal::reveal`] returns `None`. If the store of keys can't be
//! reached, the operation fails with [`KeysUnavailable`] and can be retried.

mod index;
mod keys;
mod seal;

use std::fmt;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::id::EventId;

pub use index::{NameLink, PersonIndex};
pub use keys::{KeyRing, KeysUnavailable, NONCE_BYTES, PersonKey, PersonKeys};
pub use seal::{People, people, seal, sealed_people};

/// Person to whom personal data belongs, written as kind and id: `customer:42`. Each person has one key. If
/// the key is destroyed, all data of the person is erased.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Debug, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Person(Arc<str>);

impl Person {
    /// Makes a person from a kind and an opaque id.
    pub fn new(kind: &str, id: &str) -> Self {
        Self(format!("{kind}:{id}").into())
    }

    /// Parses the text that [`Person::as_str`] returns.
    pub fn parse(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns kind and id as one text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns the kind and the id.
    pub fn parts(&self) -> (&str, &str) {
        self.0.split_once(':').unwrap_or((&self.0, ""))
    }
}

impl fmt::Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Value that belongs to a person: a name, an e-mail address, a postal address.
///
/// `Debug` does not show the value, so that no log line, error or panic reveals it.
#[derive(Clone, PartialEq, Eq)]
pub enum Personal<T> {
    /// Unencrypted value, as a decider makes it. It is sealed before the append.
    Open(Open<T>),
    /// Encrypted value, as the log holds it.
    Sealed(Sealed),
}

/// Unencrypted value, with the person and the field that sealing needs.
#[derive(Clone, PartialEq, Eq)]
pub struct Open<T> {
    person: Person,
    field: &'static str,
    value: T,
}

/// Encrypted value, or the mark that the value is erased.
#[derive(Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sealed {
    /// Person to whom the value belongs.
    pub person: Person,
    /// Event in which the value was first written. A copy in a later event keeps this id.
    pub event: EventId,
    /// Name of the field in that event.
    pub field: String,
    /// Nonce and encrypted JSON, in base 64. `None` if the person's key was destroyed before the value was
    /// written.
    #[serde(default)]
    pub sealed: Option<String>,
}

impl<T> Personal<T> {
    /// Makes an open value of a person. Sealing binds the value to its event and to `field`, so that a copy
    /// of the sealed text in another event or field can't be decrypted.
    pub fn new(person: Person, field: &'static str, value: T) -> Self {
        Self::Open(Open { person, field, value })
    }

    /// Returns the person to whom the value belongs.
    pub fn person(&self) -> &Person {
        match self {
            Self::Open(open) => &open.person,
            Self::Sealed(sealed) => &sealed.person,
        }
    }

    /// Returns true if the person was erased before the value was written. If the person was erased later,
    /// this function returns false, but [`Personal::reveal`] returns `None`.
    pub fn is_erased(&self) -> bool {
        matches!(self, Self::Sealed(Sealed { sealed: None, .. }))
    }
}

impl<T: DeserializeOwned + Clone> Personal<T> {
    /// Returns the unencrypted value; `None` if it is erased or `keys` does not hold the person's key.
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

/// JSON form of an open value. [`seal`] finds open values by their first bytes, `{"\u0000open":`. No other
/// JSON contains these bytes: inside a string, the quotes would be escaped, and field names with control
/// characters are always rejected.
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

/// Accepts sealed values only, since the log never holds an open value.
impl<'de, T> Deserialize<'de> for Personal<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Sealed::deserialize(deserializer).map(Self::Sealed)
    }
}

#[cfg(test)]
mod tests;
