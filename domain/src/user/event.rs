//! What can happen to a user.

use std::fmt;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::{Personal, event_enum};

use crate::address::Address;
use crate::names::{AddressId, EmailHash};

/// What a user may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserRole {
    /// Buys.
    #[default]
    Customer,
    /// Runs the shop.
    Admin,
}

/// An address and what its owner calls it.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// As in `home`.
    #[serde(default)]
    pub label: String,
    /// The address.
    pub address: Address,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

/// What a user wants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preferences {
    /// A language tag, as in `en` or `pt-BR`.
    pub language: String,
    /// Whether they want to hear of offers.
    pub marketing: bool,
    /// Whether they are told of their orders by e-mail.
    pub email_notifications: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { language: "en".to_owned(), marketing: false, email_notifications: true }
    }
}

/// The account was made.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// Their e-mail address.
    pub email: Personal<String>,
    /// Its alias; in accounts of before 2026-11-30 its keyed hash.
    pub email_hash: EmailHash,
    /// Their name.
    pub name: Personal<String>,
    /// Whether the address is known to be theirs.
    pub is_verified: bool,
    /// What they may do.
    pub role: UserRole,
}

/// The account has an e-mail address that somebody reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailVerified {
    /// True when the person who reads the mailbox also holds the account: by its session or password, or by a reset of
    /// the password by mail. Events of before 2026-11-30 do not tell, and count as true.
    #[serde(default = "of_before")]
    pub is_proven: bool,
}

fn of_before() -> bool {
    true
}

/// They are called otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileChanged {
    /// Their name.
    pub name: Personal<String>,
    /// Their phone number; empty for none.
    pub phone: Personal<String>,
}

/// An address is in their book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressAdded {
    /// Its id, derived from the command.
    pub id: AddressId,
    /// The address.
    pub entry: Personal<Entry>,
    /// Whether it is the default, and no other is.
    pub is_default: bool,
}

/// An address is another one.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressChanged {
    /// Which.
    pub id: AddressId,
    /// The address.
    pub entry: Personal<Entry>,
    /// Whether it is the default, and no other is.
    pub is_default: bool,
}

/// An address is out of their book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressRemoved {
    /// Which.
    pub id: AddressId,
}

/// Goods go there unless they say otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultAddressChanged {
    /// Which.
    pub id: AddressId,
}

/// They want it otherwise.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreferencesChanged {
    /// From now on.
    pub preferences: Preferences,
}

/// Their key is destroyed, their address given up.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// The alias of their address.
    pub email_hash: EmailHash,
}

/// A registration that was cut off comes too late from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fenced {}

event_enum! {
    /// What happens to a user.
    pub enum UserEvent {
        Registered = "user.registered" v 1,
        EmailVerified = "user.email-verified" v 1,
        ProfileChanged = "user.profile-changed" v 1,
        AddressAdded = "user.address-added" v 1,
        AddressChanged = "user.address-changed" v 1,
        AddressRemoved = "user.address-removed" v 1,
        DefaultAddressChanged = "user.default-address-changed" v 1,
        PreferencesChanged = "user.preferences-changed" v 1,
        Erased = "user.erased" v 1,
        Fenced = "user.fenced" v 1,
    }
}
