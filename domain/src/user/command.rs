//! Commands to a user.

use crate::email::Email;
use crate::{AddressId, EmailHash, UserId};

use super::event::{Entry, Preferences, UserRole};

/// A command to one user.
#[derive(Clone, Debug, PartialEq)]
pub enum UserCommand {
    /// Creates the account. Its e-mail address must be claimed before.
    Register(Box<Registration>),
    /// Marks the e-mail address as verified.
    VerifyEmail {
        /// See [`EmailVerified::is_proven`](super::event::EmailVerified::is_proven).
        is_proven: bool,
    },
    /// Changes the name and the phone number.
    ChangeProfile {
        /// User whose key seals the data.
        user: UserId,
        /// New name to store.
        name: String,
        /// New phone number; empty for none.
        phone: String,
    },
    /// Adds an address to the address book.
    AddAddress {
        /// User whose key seals the address.
        user: UserId,
        /// The address and its label.
        entry: Box<Entry>,
        /// True to make it the default shipping address.
        is_default: bool,
    },
    /// Replaces an address in the address book.
    ChangeAddress {
        /// User whose key seals the address.
        user: UserId,
        /// Address to replace.
        id: AddressId,
        /// The new address and its label.
        entry: Box<Entry>,
        /// True to make it the default shipping address.
        is_default: bool,
    },
    /// Removes an address from the address book.
    RemoveAddress {
        /// Address to remove.
        id: AddressId,
    },
    /// Makes an address the default shipping address.
    SetDefaultAddress {
        /// Address to ship to by default.
        id: AddressId,
    },
    /// Replaces the preferences.
    ChangePreferences(Preferences),
    /// Ends the account, after the user's key was destroyed.
    Erase,
    /// Makes a registration that claimed an address, but did not complete, fail from now on.
    Fence,
}

/// Data of a new account.
#[derive(Clone, PartialEq, Eq)]
pub struct Registration {
    /// Id of the new user.
    pub user: UserId,
    /// E-mail address of the user.
    pub email: Email,
    /// Hash or alias by which the e-mail address is looked up.
    pub email_hash: EmailHash,
    /// Name of the user.
    pub name: String,
    /// True if the e-mail address is already verified.
    pub is_verified: bool,
    /// Role of the user.
    pub role: UserRole,
}

impl std::fmt::Debug for Registration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Registration").field("user", &self.user).finish_non_exhaustive()
    }
}
