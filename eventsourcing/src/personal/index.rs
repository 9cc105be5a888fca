//! The index of people: a port to find people by a *name*, such as the keyed hash of an e-mail address.
//!
//! The index is stored with the keys of people and not in the log. If an event must refer to a name, it holds
//! an *alias* of the name, which is a random text.
//!
//! Invariants: new events contain no name; only older logs do. After the row of an alias is deleted, the
//! alias can't be traced back to its name. Erasing a person deletes the person's links and key in one
//! transaction.
//!
//! On failure: every operation fails with [`KeysUnavailable`], changes nothing, and can be retried.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{KeysUnavailable, Person};

/// Link between a name and a person.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct NameLink {
    /// Name by which the person is found.
    pub name: String,
    /// Person to whom the name belongs.
    pub person: Person,
    /// Alias that the log holds in place of the name.
    pub alias: String,
}

/// Port to the index of people. A deleted row is overwritten on disk.
#[async_trait]
pub trait PersonIndex: Send + Sync + 'static {
    /// Returns the alias of a name; `None` if the name has no alias, or if the alias was deleted.
    async fn alias_of(&self, name: &str) -> Result<Option<String>, KeysUnavailable>;

    /// Returns the name of an alias; `None` if the alias is unknown or was deleted.
    async fn name_of(&self, alias: &str) -> Result<Option<String>, KeysUnavailable>;

    /// Returns the alias of a name: 64 hexadecimal digits. Creates a random alias if the name has none.
    async fn make_alias(&self, name: &str) -> Result<String, KeysUnavailable>;

    /// Makes a name its own alias, because an older log contains the name instead of an alias. Does nothing
    /// if the name already has an alias.
    async fn adopt_alias(&self, name: &str) -> Result<(), KeysUnavailable>;

    /// Deletes an alias together with its name.
    async fn delete_alias(&self, alias: &str) -> Result<(), KeysUnavailable>;

    /// Links people with names in one transaction. A link lasts until its person is erased. People who are
    /// already erased get no link.
    async fn link(&self, links: Vec<(Person, String)>) -> Result<(), KeysUnavailable>;

    /// Deletes the link of a person with one name.
    async fn unlink(&self, person: &Person, name: &str) -> Result<(), KeysUnavailable>;

    /// Returns up to `limit` people of a kind who have a key, each with the time at which the key was
    /// created. They are ordered by person, and the first one is the next after `after`.
    async fn keyed_after(
        &self,
        kind: &str,
        after: Option<&Person>,
        limit: usize,
    ) -> Result<Vec<(Person, Timestamp)>, KeysUnavailable>;

    /// Returns up to `limit` links whose name has an alias. They are ordered by name and person, and the
    /// first one is the next after `after`.
    async fn linked_after(
        &self,
        after: Option<&NameLink>,
        limit: usize,
    ) -> Result<Vec<NameLink>, KeysUnavailable>;
}
