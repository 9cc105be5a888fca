//! Row of the read model `users`.

use serde::{Deserialize, Serialize};
use souk_domain::user::Preferences;
use souk_domain::user::event::{Entry, UserRole};
use souk_domain::{AddressId, EmailHash};
use souk_eventsourcing::{Personal, Timestamp};

/// User account with its address book. The number of addresses is small.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct UserRow {
    /// E-mail address of the account.
    pub email: Personal<String>,
    /// Hash or alias by which the e-mail address is looked up.
    pub email_hash: EmailHash,
    /// Time at which a person with access to the mailbox verified the e-mail address.
    pub verified_at: Option<Timestamp>,
    /// Time at which the user was proved to be that person. From then on, guests' orders with this e-mail
    /// address belong to the user.
    pub proven_at: Option<Timestamp>,
    /// Name of the user.
    pub name: Personal<String>,
    /// Phone number; `None` until the user first changes the profile.
    pub phone: Option<Personal<String>>,
    /// Role, which decides the user's permissions.
    pub role: UserRole,
    /// Settings that the user can change.
    pub preferences: Preferences,
    /// Addresses in the address book, oldest first.
    pub addresses: Vec<BookEntry>,
    /// Address to which goods are shipped by default.
    pub default_address: Option<AddressId>,
    /// Time of the registration.
    pub created_at: Timestamp,
    /// Last revision of the user's stream.
    pub revision: u64,
}

/// Address in a user's address book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct BookEntry {
    /// Id of the address, unique within the user.
    pub id: AddressId,
    /// Label and postal address.
    pub entry: Personal<Entry>,
}
