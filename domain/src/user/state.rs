//! What decisions need of a user: nothing that tells about the person.

use serde::Serialize;

use crate::names::{AddressId, EmailHash};

use super::event::{Preferences, UserRole};

/// The state of a user.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum UserState {
    /// Nobody yet.
    #[default]
    Unknown,
    /// Somebody with an account.
    Known(Account),
    /// Nobody any more; the claim of the address is to be released.
    Erased(#[serde(skip_serializing)] EmailHash),
    /// Nobody, for good: the registration was cut off.
    Fenced,
}

/// An account.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Account {
    /// What the e-mail address is looked up by.
    pub email_hash: EmailHash,
    /// True once somebody who reads the mailbox of the address verified it.
    pub is_verified: bool,
    /// True once that was the one who holds the account.
    pub is_proven: bool,
    /// What they may do.
    pub role: UserRole,
    /// Their addresses, oldest first.
    pub addresses: Vec<AddressId>,
    /// Where goods go unless they say otherwise.
    pub default_address: Option<AddressId>,
    /// What they want.
    pub preferences: Preferences,
}

impl UserState {
    /// The account, when there is one.
    pub fn account(&self) -> Option<&Account> {
        match self {
            Self::Known(account) => Some(account),
            Self::Unknown | Self::Erased(_) | Self::Fenced => None,
        }
    }

    /// What the e-mail address is looked up by, or was before the erasure.
    pub fn email_hash(&self) -> Option<&EmailHash> {
        match self {
            Self::Known(account) => Some(&account.email_hash),
            Self::Erased(hash) => Some(hash),
            Self::Unknown | Self::Fenced => None,
        }
    }

    /// How often it gave its e-mail address up: see [`crate::claim`].
    pub fn epoch(&self) -> u64 {
        u64::from(matches!(self, Self::Erased(_) | Self::Fenced))
    }
}
