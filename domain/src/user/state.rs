//! State of a user: the facts that later decisions need. It contains no personal data.

use serde::Serialize;

use crate::{AddressId, EmailHash};

use super::event::{Preferences, UserRole};

/// State of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum UserState {
    /// The user is not registered yet.
    #[default]
    #[serde(rename = "unknown")]
    NotRegistered,
    /// The user has an account.
    #[serde(rename = "known")]
    Registered(Account),
    /// The account was erased and gave up its e-mail address, so the claim of the address must be released.
    Erased(#[serde(skip_serializing)] EmailHash),
    /// The registration did not complete, and the user can never be registered.
    Fenced,
}

/// State of an account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// Hash or alias by which the e-mail address is looked up.
    pub email_hash: EmailHash,
    /// True once the e-mail address was verified: a person reads its mailbox.
    pub is_verified: bool,
    /// True once a person who reads the mailbox has also proved that they control the account.
    pub is_proven: bool,
    /// Role of the user.
    pub role: UserRole,
    /// Addresses of the address book, oldest first.
    pub addresses: Vec<AddressId>,
    /// Default shipping address.
    pub default_address: Option<AddressId>,
    /// Preferences of the user.
    pub preferences: Preferences,
}

impl UserState {
    /// Returns the account, if there is one.
    pub fn account(&self) -> Option<&Account> {
        match self {
            Self::Registered(account) => Some(account),
            Self::NotRegistered | Self::Erased(_) | Self::Fenced => None,
        }
    }

    /// Returns the hash or alias by which the e-mail address is looked up. After an erasure, it belongs to
    /// the address that the account gave up.
    pub fn email_hash(&self) -> Option<&EmailHash> {
        match self {
            Self::Registered(account) => Some(&account.email_hash),
            Self::Erased(hash) => Some(hash),
            Self::NotRegistered | Self::Fenced => None,
        }
    }

    /// Returns the current epoch: 0, or 1 once the user was erased or fenced. See [`crate::claim`].
    pub fn epoch(&self) -> u64 {
        u64::from(matches!(self, Self::Erased(_) | Self::Fenced))
    }
}
