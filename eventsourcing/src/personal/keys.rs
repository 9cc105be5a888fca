//! Keys of people, and the port to the store that keeps them: apart from the log and its backups, so that
//! destroying one destroys what is sealed under it wherever it lies.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Person, PersonIndex};

/// Bytes of a nonce of XChaCha20-Poly1305: enough that random ones never meet.
pub const NONCE_BYTES: usize = 24;

/// The key of one person. Overwritten when it is dropped, never shown.
#[derive(Clone)]
pub struct PersonKey(Zeroizing<[u8; 32]>);

impl PersonKey {
    /// A key of these bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Its bytes, for ciphers and for wrapping.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(key)")
    }
}

/// The keys of some people. Of somebody who is erased, or was never known, there is none.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(HashMap<Person, PersonKey>);

impl KeyRing {
    /// The key of a person.
    pub fn get(&self, person: &Person) -> Option<&PersonKey> {
        self.0.get(person)
    }

    /// The keys and whose they are.
    pub fn iter(&self) -> impl Iterator<Item = (&Person, &PersonKey)> {
        self.0.iter()
    }

    /// These keys and others.
    pub fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Adds a key.
    pub fn insert(&mut self, person: Person, key: PersonKey) {
        self.0.insert(person, key);
    }
}

impl FromIterator<(Person, PersonKey)> for KeyRing {
    fn from_iter<I: IntoIterator<Item = (Person, PersonKey)>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// The store of keys can't be read or written at the moment.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the keys of people are unavailable: {0}")]
pub struct KeysUnavailable(pub String);

/// Keeps the keys of people.
///
/// What always holds: a key that was given out to seal with is on disk; somebody who was erased has no key
/// and never gets one again; what [`PersonKeys::erase`] answered survives every crash.
#[async_trait]
pub trait PersonKeys: PersonIndex {
    /// Keys to seal with: made for those who have none, but for those who are erased.
    async fn to_seal(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable>;

    /// Keys to open with: of those who have one.
    async fn to_open(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable>;

    /// Whether the person is erased.
    async fn is_erased(&self, person: &Person) -> Result<bool, KeysUnavailable>;

    /// Destroys the person's key for good. What is left to do about it is listed by
    /// [`PersonKeys::unsettled`] until it is said to be done.
    async fn erase(&self, person: &Person, at: Timestamp) -> Result<(), KeysUnavailable>;

    /// People who are erased and whose erasure is not yet told everywhere, the longest ago first.
    async fn unsettled(&self, limit: usize) -> Result<Vec<Person>, KeysUnavailable>;

    /// Notes that everybody has been told.
    async fn settle(&self, person: &Person) -> Result<(), KeysUnavailable>;

    /// People who are erased, by name, behind that of one of them.
    async fn erased_after(&self, name: &str, limit: usize) -> Result<Vec<Person>, KeysUnavailable>;

    /// Lists an erasure as not told everywhere once more.
    async fn unsettle(&self, person: &Person) -> Result<(), KeysUnavailable>;
}
