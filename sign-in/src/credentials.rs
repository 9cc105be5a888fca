//! Port to the store of credentials: password hashes, sessions, one-time tokens and the sign-in audit.
//!
//! The store is apart from the event log, because its data is overwritten and deleted. A method that returns
//! `Ok` has its result on disk. If the store fails, methods return [`CredentialsUnavailable`] and nothing is
//! changed.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_domain::{CustomerId, EmailHash};
use uuid::Uuid;

use crate::mail_limit::MailCount;
use crate::one_time::{MailedTo, OneTimeToken, Purpose};
use crate::session::Session;

/// Time for which entries of the sign-in audit are stored.
pub const SIGN_INS_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Entry of the sign-in audit. The account's owner and admins can read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Id of the entry. Ids are ordered by time.
    pub id: Uuid,
    /// Time of the action.
    pub at: Timestamp,
    /// Account. `None` if no account has the e-mail address.
    pub user: Option<CustomerId>,
    /// Keyed hash of the e-mail address in the request, if there was one.
    pub email_hash: Option<EmailHash>,
    /// Kind of action.
    pub kind: SignInKind,
    /// Client address. `None` if it is not known.
    pub address: Option<String>,
    /// Value of the request's `User-Agent` header.
    pub user_agent: Option<String>,
}

/// Kind of an entry of the sign-in audit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInKind {
    /// The account was created.
    SignedUp,
    /// The owner signed in.
    SignedIn,
    /// A sign-in failed: the password was wrong, or the account does not exist.
    Failed,
    /// A used refresh token was used again, so the session was ended.
    TokenReused,
    /// The owner signed out.
    SignedOut,
    /// The owner changed the password.
    PasswordChanged,
    /// The password was reset by mail.
    PasswordReset,
    /// An identity of an identity provider was linked to the account.
    ProviderLinked,
    /// An identity of an identity provider was unlinked from the account.
    ProviderUnlinked,
}

impl SignInKind {
    /// All kinds.
    pub const ALL: [Self; 9] = [
        Self::SignedUp,
        Self::SignedIn,
        Self::Failed,
        Self::TokenReused,
        Self::SignedOut,
        Self::PasswordChanged,
        Self::PasswordReset,
        Self::ProviderLinked,
        Self::ProviderUnlinked,
    ];

    /// Returns the name of the kind in the API and in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::SignedUp => "signed-up",
            Self::SignedIn => "signed-in",
            Self::Failed => "failed",
            Self::TokenReused => "token-reused",
            Self::SignedOut => "signed-out",
            Self::PasswordChanged => "password-changed",
            Self::PasswordReset => "password-reset",
            Self::ProviderLinked => "provider-linked",
            Self::ProviderUnlinked => "provider-unlinked",
        }
    }

    /// Parses a name that [`SignInKind::as_str`] returned.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A session as read from the store. It is written back only if the stored version is still the same.
#[derive(Clone, Debug)]
pub struct StoredSession {
    /// Session with its refresh tokens.
    pub session: Session,
    /// Number of times that the session was written.
    pub version: i64,
}

/// Error: the store can't be read or written at the moment.
#[derive(Clone, Debug, thiserror::Error)]
#[error("credentials are unavailable: {0}")]
pub struct CredentialsUnavailable(pub String);

/// Outcome of unlinking an identity from an account.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum UnlinkOutcome {
    /// The link was removed.
    Done,
    /// The account had no link to the issuer.
    NotLinked,
    /// The link stays, because the account has no password and no other link: nobody could sign in to it.
    LastSignInMethod,
}

/// Treatment of an account's links to identity providers when its password is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinksAtReset {
    /// The links stay, because the owner of the e-mail address made them.
    Keep,
    /// The links are removed, because a stranger who signed up with the address may have made them.
    Remove,
}

/// Treatment of an account's reset tokens when its password is changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetsAtChange {
    /// The tokens are removed, because the password that they reset is no longer in use.
    Remove,
    /// The tokens stay. A stranger may have signed up with the e-mail address of the person who receives the
    /// mails. The stranger could otherwise remove each token, by changing the password before the owner uses
    /// the token.
    Keep,
}

type StoreResult<T> = Result<T, CredentialsUnavailable>;

/// Store of password hashes, sessions, one-time tokens and the sign-in audit.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// Returns the hash of an account's password, if it has one.
    async fn password(&self, user: &CustomerId) -> StoreResult<Option<String>>;
    /// Sets the password hash of an account. Its reset tokens become invalid.
    async fn set_password(&self, user: &CustomerId, hash: &str) -> StoreResult<()>;
    /// Replaces the hash by another hash of the same password. Returns false, and changes nothing, if the
    /// current hash is no longer `old`.
    async fn replace_password(&self, user: &CustomerId, old: &str, new: &str) -> StoreResult<bool>;
    /// Replaces the hash by the hash of a new password. Returns false, and changes nothing, if the current
    /// hash is no longer `old`. `resets` decides about the account's reset tokens.
    async fn change_password(
        &self,
        user: &CustomerId,
        old: &str,
        new: &str,
        resets: ResetsAtChange,
    ) -> StoreResult<bool>;
    /// Resets a password with a token: uses the token up, sets the new hash, and removes the account's links
    /// if `links` says so, all in one transaction. Returns the account, or `None` if the token is not valid.
    /// All other reset tokens of the account become invalid.
    async fn reset_password(
        &self,
        token: &[u8; 32],
        new: &str,
        links: LinksAtReset,
        now: Timestamp,
    ) -> StoreResult<Option<CustomerId>>;

    /// Stores the keyed hash of an account's e-mail address, with the alias that replaces the address in the
    /// event log. If `password` is `Some`, stores them only while it is the account's password hash.
    async fn keep_email(
        &self,
        user: &CustomerId,
        name: &EmailHash,
        alias: &EmailHash,
        password: Option<&str>,
    ) -> StoreResult<()>;
    /// Returns the alias of the e-mail address with this keyed hash, if an account has the address.
    async fn email_alias(&self, name: &EmailHash) -> StoreResult<Option<EmailHash>>;

    /// Returns the account that an identity of an issuer is linked to.
    async fn linked_account(&self, issuer: &str, subject: &str) -> StoreResult<Option<CustomerId>>;
    /// Links an identity to an account.
    async fn link(&self, issuer: &str, subject: &str, user: &CustomerId, now: Timestamp) -> StoreResult<()>;
    /// Unlinks the identity of an issuer from an account, unless it is the last way to sign in.
    async fn unlink(&self, issuer: &str, user: &CustomerId) -> StoreResult<UnlinkOutcome>;
    /// Returns the issuers whose identities are linked to an account.
    async fn links_of(&self, user: &CustomerId) -> StoreResult<Vec<String>>;

    /// Stores a new session.
    async fn open_session(&self, session: &Session) -> StoreResult<()>;
    /// Returns a session by its id.
    async fn session(&self, id: Uuid) -> StoreResult<Option<StoredSession>>;
    /// Writes a session back. Returns false, and changes nothing, if it was written since it was read.
    async fn replace_session(&self, stored: &StoredSession) -> StoreResult<bool>;
    /// Returns the sessions of an account that have not ended.
    async fn open_sessions_of(&self, user: &CustomerId, now: Timestamp) -> StoreResult<Vec<StoredSession>>;
    /// Returns the sessions that were ended since a time.
    async fn revoked_since(&self, since: Timestamp) -> StoreResult<Vec<Session>>;

    /// Stores a one-time token. Earlier tokens of the account for the same purpose become invalid.
    async fn keep_one_time(&self, token: &OneTimeToken) -> StoreResult<()>;
    /// Returns the account and address of a valid token, without using the token up.
    async fn one_time(
        &self,
        hash: &[u8; 32],
        purpose: Purpose,
        now: Timestamp,
    ) -> StoreResult<Option<MailedTo>>;
    /// Uses a token up. Returns its account, or `None` if the token is not valid.
    async fn take_one_time(
        &self,
        hash: &[u8; 32],
        purpose: Purpose,
        now: Timestamp,
    ) -> StoreResult<Option<CustomerId>>;

    /// Counts a mail. Returns false, and counts nothing, if one of the counts has reached its limit. Counts
    /// stay when an account is erased.
    async fn count_mail(&self, counts: &[MailCount], now: Timestamp) -> StoreResult<bool>;

    /// Adds an entry to the sign-in audit.
    async fn note(&self, sign_in: &SignIn) -> StoreResult<()>;
    /// Returns at most `limit` entries of the sign-in audit before the entry `before`, newest first: those of
    /// one account, or of all accounts if `user` is `None`.
    async fn sign_ins(
        &self,
        user: Option<&CustomerId>,
        before: Option<Uuid>,
        limit: u32,
    ) -> StoreResult<Vec<SignIn>>;

    /// Returns those of the given accounts of which the store still has data. Ended sessions do not count as
    /// data.
    async fn accounts_with_data(&self, people: &[CustomerId]) -> StoreResult<Vec<CustomerId>>;

    /// Deletes all data of an account, except that its ended sessions stay known until their access tokens
    /// expire.
    async fn forget(&self, user: &CustomerId, email_hashes: &[EmailHash]) -> StoreResult<()>;
    /// Deletes expired data, in bounded steps.
    async fn sweep(&self, now: Timestamp) -> StoreResult<()>;
}
