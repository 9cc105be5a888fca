//! Why a command to a user is refused.

use souk_eventsourcing::Rejection;

use crate::limits::ADDRESSES_MAX;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UserRejection {
    /// No account, or none any more.
    #[error("there is no such user")]
    NotFound,
    /// The address isn't in the book.
    #[error("there is no such address")]
    AddressNotFound,
    /// The book is full.
    #[error("at most {ADDRESSES_MAX} addresses are kept")]
    BookFull,
    /// It took too long, and the e-mail address was given up meanwhile.
    #[error("the registration took too long; repeat it")]
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
