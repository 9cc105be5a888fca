//! Events of a user.

use std::fmt;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::{Personal, event_enum};

use crate::address::Address;
use crate::{AddressId, EmailHash};

/// Role of a user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum UserRole {
    /// May buy and manage the own account.
    #[default]
    Customer,
    /// May run the shop.
    Admin,
}

/// An entry of a user's address book.
#[derive(Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Entry {
    /// Label that the user gave the address, such as `home`; may be empty.
    #[serde(default)]
    pub label: String,
    /// The postal address.
    pub address: Address,
}

impl fmt::Debug for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("(personal)")
    }
}

/// Preferences of a user.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Preferences {
    /// Language tag, such as `en` or `pt-BR`.
    pub language: String,
    /// True if the user wants to receive offers.
    pub marketing: bool,
    /// True if the user wants e-mails about the own orders.
    pub email_notifications: bool,
}

impl Default for Preferences {
    fn default() -> Self {
        Self { language: "en".to_owned(), marketing: false, email_notifications: true }
    }
}

/// The account was created.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Registered {
    /// E-mail address, sealed.
    pub email: Personal<String>,
    /// Alias of the e-mail address; its keyed hash in accounts created before 2026-11-30.
    pub email_hash: EmailHash,
    /// Name, sealed.
    pub name: Personal<String>,
    /// True if the e-mail address was already verified.
    pub is_verified: bool,
    /// Role of the user.
    pub role: UserRole,
}

/// The e-mail address was verified: a person reads its mailbox.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct EmailVerified {
    /// True if the person who reads the mailbox also controls the account: by its session, by its password,
    /// or by a password reset through the mailbox. Events written before 2026-11-30 lack this field and count
    /// as true.
    #[serde(default = "proven_by_default")]
    pub is_proven: bool,
}

/// Value of [`EmailVerified::is_proven`] in events that lack it.
fn proven_by_default() -> bool {
    true
}

/// The name or phone number changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ProfileChanged {
    /// New name, sealed.
    pub name: Personal<String>,
    /// New phone number, sealed; empty for none.
    pub phone: Personal<String>,
}

/// An address was added to the address book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressAdded {
    /// Id of the address, derived from the command.
    pub id: AddressId,
    /// The address and its label, sealed.
    pub entry: Personal<Entry>,
    /// True if it becomes the default shipping address, in place of any other.
    pub is_default: bool,
}

/// An address in the address book was replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressChanged {
    /// Address that was replaced.
    pub id: AddressId,
    /// The new address and its label, sealed.
    pub entry: Personal<Entry>,
    /// True if it becomes the default shipping address, in place of any other.
    pub is_default: bool,
}

/// An address was removed from the address book.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct AddressRemoved {
    /// Address that was removed.
    pub id: AddressId,
}

/// The default shipping address changed.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct DefaultAddressChanged {
    /// The new default shipping address.
    pub id: AddressId,
}

/// The preferences were replaced.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct PreferencesChanged {
    /// The new preferences.
    pub preferences: Preferences,
}

/// The account ended, because the user's key was destroyed. The e-mail address is released.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Erased {
    /// Alias of the e-mail address.
    pub email_hash: EmailHash,
}

/// A registration that claimed an address, but did not complete, fails from now on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fenced {}

event_enum! {
    /// Events of a user.
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
