//! Keys of people, and the port to the store of these keys.
//!
//! Invariants: the store is separate from the log and from the log's backups. After a key is destroyed, no
//! copy of the data sealed with it can be opened. A key that was used for sealing is on disk. A person who
//! was erased never gets a key again. A finished [`PersonKeys::erase`] survives every crash.
//!
//! On failure: every operation fails with [`KeysUnavailable`], changes nothing, and can be retried.

use std::collections::HashMap;
use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use zeroize::Zeroizing;

use super::{Person, PersonIndex};

/// Length of a nonce of XChaCha20-Poly1305, in bytes. Random nonces of this length do not repeat in practice.
pub const NONCE_BYTES: usize = 24;

/// Key of one person. Dropping it overwrites its memory, and `Debug` does not show it.
#[derive(Clone)]
pub struct PersonKey(Zeroizing<[u8; 32]>);

impl PersonKey {
    /// Makes a key from its bytes.
    pub fn new(bytes: [u8; 32]) -> Self {
        Self(Zeroizing::new(bytes))
    }

    /// Returns the bytes of the key, for a cipher or to encrypt the key itself.
    pub fn bytes(&self) -> &[u8; 32] {
        &self.0
    }
}

impl fmt::Debug for PersonKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(key)")
    }
}

/// Keys of several people. A person who is erased or unknown has no entry.
#[derive(Clone, Debug, Default)]
pub struct KeyRing(HashMap<Person, PersonKey>);

impl KeyRing {
    /// Returns the key of a person; `None` if the key ring does not hold it.
    pub fn get(&self, person: &Person) -> Option<&PersonKey> {
        self.0.get(person)
    }

    /// Iterates over people and their keys, in any order.
    pub fn iter(&self) -> impl Iterator<Item = (&Person, &PersonKey)> {
        self.0.iter()
    }

    /// Returns a key ring with the keys of both.
    pub fn with(mut self, others: Self) -> Self {
        self.0.extend(others.0);
        self
    }

    /// Adds or replaces the key of a person.
    pub fn insert(&mut self, person: Person, key: PersonKey) {
        self.0.insert(person, key);
    }
}

impl FromIterator<(Person, PersonKey)> for KeyRing {
    fn from_iter<I: IntoIterator<Item = (Person, PersonKey)>>(keys: I) -> Self {
        Self(keys.into_iter().collect())
    }
}

/// Error if the store of keys can't be read or written. The text is the store's message.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the keys of people are unavailable: {0}")]
pub struct KeysUnavailable(pub String);

/// Port to the store of people's keys.
///
/// An erasure has two parts. First, [`PersonKeys::erase`] destroys the key. Then the rest of the program
/// removes the other data of the person, such as sessions. The erasure is *complete* once that is done.
#[async_trait]
pub trait PersonKeys: PersonIndex {
    /// Returns keys for sealing. Creates a key for each person who has none. People who are erased get no
    /// key.
    async fn keys_for_sealing(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable>;

    /// Returns keys for opening sealed values, for those of `people` who have a key.
    async fn keys_for_opening(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable>;

    /// Returns true if the person is erased.
    async fn is_erased(&self, person: &Person) -> Result<bool, KeysUnavailable>;

    /// Destroys the person's key, which can't be undone. [`PersonKeys::incomplete_erasures`] lists the
    /// erasure until [`PersonKeys::complete_erasure`] is called.
    async fn erase(&self, person: &Person, at: Timestamp) -> Result<(), KeysUnavailable>;

    /// Returns up to `limit` people whose erasure is not complete, the oldest erasure first.
    async fn incomplete_erasures(&self, limit: usize) -> Result<Vec<Person>, KeysUnavailable>;

    /// Marks the erasure of a person as complete.
    async fn complete_erasure(&self, person: &Person) -> Result<(), KeysUnavailable>;

    /// Returns up to `limit` people who are erased, ordered by their text form and after `name`.
    async fn erased_after(&self, name: &str, limit: usize) -> Result<Vec<Person>, KeysUnavailable>;

    /// Marks the erasure of a person as incomplete, so that its steps are performed again.
    async fn reopen_erasure(&self, person: &Person) -> Result<(), KeysUnavailable>;
}
