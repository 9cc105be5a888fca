//! Failures of an erasure.

use souk_domain::claim::ClaimRejection;
use souk_domain::order::OrderRejection;
use souk_domain::user::UserRejection;
use souk_eventsourcing::{CommandError, KeysUnavailable, StoreError};
use souk_sign_in::mail::MailFailed;
use souk_sign_in::{CredentialsUnavailable, SessionsError};

/// Reason why a step of an erasure failed. The step can be repeated.
#[derive(Debug, thiserror::Error)]
pub enum ErasureError {
    /// The key of the person could not be destroyed, so the person is not erased yet.
    #[error(transparent)]
    KeyNotDestroyed(KeysUnavailable),
    /// The keys of people can't be read or written.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] StoreError),
    /// The orders of a customer can't be read from the read models. The text is the message of the database.
    #[error("{0}")]
    ReadModels(String),
    /// The credentials can't be read or written.
    #[error(transparent)]
    Credentials(#[from] CredentialsUnavailable),
    /// A session could not be ended.
    #[error(transparent)]
    Sessions(#[from] SessionsError),
    /// The stored mail could not be deleted.
    #[error(transparent)]
    Mail(#[from] MailFailed),
    /// The command to the account failed.
    #[error(transparent)]
    User(#[from] CommandError<UserRejection>),
    /// The command to the claim of the e-mail address failed.
    #[error(transparent)]
    Claim(#[from] CommandError<ClaimRejection>),
    /// The command to an order failed.
    #[error(transparent)]
    Order(#[from] CommandError<OrderRejection>),
    /// A stored id or alias is malformed.
    #[error("{0}")]
    Malformed(String),
}
