//! Reasons why a command to a user is refused.

use souk_eventsourcing::Rejection;

use crate::limits::ADDRESSES_MAX;
use crate::problem::ProblemKind::Conflict;
use crate::problem::{ProblemEntry, PublicRejection};

/// Reason why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserRejection {
    /// The account does not exist or was erased.
    #[error("there is no such user")]
    NotFound,
    /// The address is not in the address book.
    #[error("there is no such address")]
    AddressNotFound,
    /// The address book is full.
    #[error("an address book has at most {ADDRESSES_MAX} addresses")]
    BookFull,
    /// The registration took too long, and its e-mail address was released in the meantime.
    #[error("the registration took too long; send it again")]
    Fenced,
}

impl Rejection for UserRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "user-not-found",
            Self::AddressNotFound => "address-not-found",
            Self::BookFull => "too-many-addresses",
            Self::Fenced => "revision-conflict",
        }
    }
}

impl PublicRejection for UserRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[
        ProblemEntry::new(
            "too-many-addresses",
            Conflict,
            "The address book is full",
            "Delete an address before you add another one.",
        ),
        ProblemEntry::new(
            "email-taken",
            Conflict,
            "The e-mail address already has an account",
            "Sign in to that account, or reset its password. An e-mail address can have one account only.",
        ),
    ];
}
