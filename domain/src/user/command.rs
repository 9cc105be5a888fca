//! What can be asked of a user.

use crate::email::Email;
use crate::names::{AddressId, EmailHash, UserId};

use super::event::{Entry, Preferences, UserRole};

/// A command to one user.
#[derive(Clone, Debug, PartialEq)]
pub enum UserCommand {
    /// Makes the account, whose address is claimed.
    Register(Box<Registration>),
    /// The e-mail address is theirs.
    VerifyEmail {
        /// See [`EmailVerified::is_proven`](super::event::EmailVerified::is_proven).
        is_proven: bool,
    },
    /// They are called otherwise.
    ChangeProfile {
        /// Whose key seals it.
        user: UserId,
        /// Their name.
        name: String,
        /// Their phone number; empty for none.
        phone: String,
    },
    /// Puts an address into their book.
    AddAddress {
        /// Whose key seals it.
        user: UserId,
        /// The address.
        entry: Box<Entry>,
        /// Whether goods go there unless they say otherwise.
        is_default: bool,
    },
    /// Replaces one.
    ChangeAddress {
        /// Whose key seals it.
        user: UserId,
        /// Which.
        id: AddressId,
        /// The address.
        entry: Box<Entry>,
        /// Whether goods go there unless they say otherwise.
        is_default: bool,
    },
    /// Takes one out.
    RemoveAddress {
        /// Which.
        id: AddressId,
    },
    /// Goods go there unless they say otherwise.
    SetDefaultAddress {
        /// Which.
        id: AddressId,
    },
    /// They want it otherwise.
    ChangePreferences(Preferences),
    /// Their key is destroyed; the account ends.
    Erase,
    /// A registration that didn't follow its claim comes too late from now on.
    Fence,
}

/// What an account is made from.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    /// Their id.
    pub user: UserId,
    /// Their e-mail address.
    pub email: Email,
    /// What it is looked up by.
    pub email_hash: EmailHash,
    /// Their name.
    pub name: String,
    /// Whether the address is known to be theirs.
    pub is_verified: bool,
    /// What they may do.
    pub role: UserRole,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("user", &self.user).finish_non_exhaustive()
    }
}
