//! The index of people, kept beside their keys: names by which somebody is found again, such as the keyed hash of
//! an e-mail address. No such name stands in the log. Where the log needs something in its place, it holds an
//! *alias*: random text that nothing leads to once its row is deleted.

use async_trait::async_trait;
use jiff::Timestamp;

use super::{KeysUnavailable, Person};

/// A person linked with a name, and the alias that the log holds for the name.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Linked {
    /// The name.
    pub name: String,
    /// The person.
    pub person: Person,
    /// The alias of the name.
    pub alias: String,
}

/// Keeps names by which people are found.
///
/// Erasing a person deletes their links with their key, in one transaction. A deleted row is overwritten.
#[async_trait]
pub trait PersonIndex: Send + Sync + 'static {
    /// Returns the alias of a name; none when none was made, or when it was deleted.
    async fn alias_of(&self, name: &str) -> Result<Option<String>, KeysUnavailable>;

    /// Returns the name of an alias.
    async fn name_of(&self, alias: &str) -> Result<Option<String>, KeysUnavailable>;

    /// Returns the alias of a name, made at random when there is none: 64 hexadecimal digits.
    async fn make_alias(&self, name: &str) -> Result<String, KeysUnavailable>;

    /// Takes in a name that an older log holds in the place of an alias: the name becomes its own alias, unless
    /// it is known as one.
    async fn adopt_alias(&self, name: &str) -> Result<(), KeysUnavailable>;

    /// Deletes an alias and the name that led to it.
    async fn delete_alias(&self, alias: &str) -> Result<(), KeysUnavailable>;

    /// Links people with names until they are erased, all at once or none. Somebody who is erased gets no link.
    async fn link(&self, links: Vec<(Person, String)>) -> Result<(), KeysUnavailable>;

    /// Deletes the link of a person with one name.
    async fn unlink(&self, person: &Person, name: &str) -> Result<(), KeysUnavailable>;

    /// Lists people of a kind who have a key, by name behind one of them, with the time at which it was made.
    async fn keyed_after(
        &self,
        kind: &str,
        after: Option<&Person>,
        limit: usize,
    ) -> Result<Vec<(Person, Timestamp)>, KeysUnavailable>;

    /// Lists links whose name has an alias, by name and person, behind one of them.
    async fn linked_after(
        &self,
        after: Option<&Linked>,
        limit: usize,
    ) -> Result<Vec<Linked>, KeysUnavailable>;
}
