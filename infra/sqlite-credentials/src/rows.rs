//! Rows of the tables, and their conversion into the types of `souk-sign-in`.

use jiff::Timestamp;
use souk_domain::{CustomerId, EmailHash};
use souk_sign_in::credentials::StoredSession;
use souk_sign_in::{CredentialsUnavailable, MailedTo, Session, SignIn, SignInKind};
use uuid::Uuid;

/// Version and document of a session.
pub(crate) type SessionRow = (i64, String);

/// Id, time, person, e-mail hash, kind, address and user agent of a sign-in.
pub(crate) type SignInRow =
    (Vec<u8>, i64, Option<String>, Option<String>, String, Option<String>, Option<String>);

/// Person and e-mail hash of a one-time token.
pub(crate) type TokenRow = (String, Option<String>);

/// Converts a database error. Its text is for operators.
#[expect(clippy::needless_pass_by_value, reason = "`map_err` passes the error by value")]
pub(crate) fn failed(error: sqlx::Error) -> CredentialsUnavailable {
    CredentialsUnavailable(error.to_string())
}

pub(crate) fn damaged(error: impl std::fmt::Display) -> CredentialsUnavailable {
    CredentialsUnavailable(format!("a row is damaged: {error}"))
}

pub(crate) fn document(session: &Session) -> Result<String, CredentialsUnavailable> {
    serde_json::to_string(session).map_err(damaged)
}

pub(crate) trait TryFromRow<T>: Sized {
    fn of_row(row: T) -> Result<Self, CredentialsUnavailable>;
}

impl TryFromRow<SessionRow> for StoredSession {
    fn of_row((version, doc): SessionRow) -> Result<Self, CredentialsUnavailable> {
        Ok(Self { session: serde_json::from_str(&doc).map_err(damaged)?, version })
    }
}

impl TryFromRow<TokenRow> for MailedTo {
    fn of_row((person, email_hash): TokenRow) -> Result<Self, CredentialsUnavailable> {
        Ok(Self {
            user: CustomerId::parse(&person).map_err(damaged)?,
            email_hash: email_hash.map(|hash| EmailHash::parse(&hash)).transpose().map_err(damaged)?,
        })
    }
}

impl TryFromRow<SignInRow> for SignIn {
    fn of_row(row: SignInRow) -> Result<Self, CredentialsUnavailable> {
        let (id, at, user, email_hash, kind, address, user_agent) = row;
        Ok(Self {
            id: Uuid::from_slice(&id).map_err(damaged)?,
            at: Timestamp::from_microsecond(at).map_err(damaged)?,
            user: user.map(|user| CustomerId::parse(&user)).transpose().map_err(damaged)?,
            email_hash: email_hash.map(|hash| EmailHash::parse(&hash)).transpose().map_err(damaged)?,
            kind: SignInKind::parse(&kind).ok_or_else(|| damaged("its kind is unknown"))?,
            address,
            user_agent,
        })
    }
}
