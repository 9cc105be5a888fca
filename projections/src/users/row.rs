//! The document of a user.

use serde::{Deserialize, Serialize};
use souk_domain::user::Preferences;
use souk_domain::user::event::{Entry, UserRole};
use souk_domain::{AddressId, EmailHash};
use souk_eventsourcing::{Personal, Timestamp};

/// A user, with their book of addresses: there are few.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserRow {
    /// Their e-mail address.
    pub email: Personal<String>,
    /// What it is looked up by.
    pub email_hash: EmailHash,
    /// The moment since which somebody who reads its mailbox has verified it.
    pub verified_at: Option<Timestamp>,
    /// The moment since which that is known to be the one who holds the account: guests' orders with the address are
    /// theirs from then on.
    pub proven_at: Option<Timestamp>,
    /// Their name.
    pub name: Personal<String>,
    /// Their phone number.
    pub phone: Option<Personal<String>>,
    /// What they may do.
    pub role: UserRole,
    /// What they want.
    pub preferences: Preferences,
    /// Their addresses, oldest first.
    pub addresses: Vec<BookEntry>,
    /// Where goods go unless they say otherwise.
    pub default_address: Option<AddressId>,
    /// When they made the account.
    pub created_at: Timestamp,
    /// Of their stream.
    pub revision: u64,
}

/// An address in the book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookEntry {
    /// Its id.
    pub id: AddressId,
    /// The address.
    pub entry: Personal<Entry>,
}
