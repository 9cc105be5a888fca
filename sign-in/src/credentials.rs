//! What is kept of those who sign in, apart from the log.

use async_trait::async_trait;
use jiff::{SignedDuration, Timestamp};
use souk_domain::{CustomerId, EmailHash};
use uuid::Uuid;

use crate::mail_limit::MailCount;
use crate::one_time::{MailedTo, OneTimeToken, Purpose};
use crate::session::Family;

/// How long sign-ins are remembered.
pub const SIGN_INS_KEPT: SignedDuration = SignedDuration::from_hours(90 * 24);

/// Something that has to do with signing in, as its owner and admins may read it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// Its id, by time.
    pub id: Uuid,
    /// When.
    pub at: Timestamp,
    /// Whose account; none when there is none.
    pub user: Option<CustomerId>,
    /// What the e-mail address is looked up by, when one was named.
    pub email_hash: Option<EmailHash>,
    /// What it was.
    pub kind: SignInKind,
    /// The client's address.
    pub address: Option<String>,
    /// What the client calls itself.
    pub user_agent: Option<String>,
}

/// What had to do with signing in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SignInKind {
    /// An account was made.
    SignedUp,
    /// Somebody signed in.
    SignedIn,
    /// A password was wrong, or nobody's.
    Failed,
    /// A used refresh token came again: the session was ended.
    TokenReused,
    /// Somebody signed out.
    SignedOut,
    /// A password was changed.
    PasswordChanged,
    /// A password was reset by mail.
    PasswordReset,
    /// An identity provider's word was taken for theirs.
    ProviderLinked,
    /// An identity provider's word is taken for theirs no more.
    ProviderUnlinked,
}

impl SignInKind {
    /// All there are.
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

    /// As in the API.
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

    /// Reads what [`SignInKind::as_str`] gave.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }
}

/// A family as it was read: it is written back only over the same version.
#[derive(Clone, Debug)]
pub struct Stored {
    /// The family.
    pub family: Family,
    /// How often it was written.
    pub version: i64,
}

/// The store can't be read or written at the moment.
#[derive(Clone, Debug, thiserror::Error)]
#[error("credentials are unavailable: {0}")]
pub struct CredentialsUnavailable(pub String);

/// The outcome of unlinking an identity.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlinked {
    /// It is gone.
    Done,
    /// There was none.
    NotLinked,
    /// It stays: without a password and another link, nobody could sign in to the account.
    LastWay,
}

/// The fate of an account's links to identity providers when its password is reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LinksAtReset {
    /// They stay: the owner of the e-mail address made them.
    Stay,
    /// They go: a stranger who signed up with the address may have made them.
    Go,
}

/// The fate of tokens that reset a password when its account sets another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ResetsAtChange {
    /// They go: they are for the password that was forgotten.
    Go,
    /// They stay: the account may be that of a stranger who signed up with the address of the reader of the mails, and
    /// who could drop each token before it is used.
    Stay,
}

type Kept<T> = Result<T, CredentialsUnavailable>;

/// Keeps passwords' hashes, sessions, one-time tokens and the trail of sign-ins. What was answered is on
/// disk.
#[async_trait]
pub trait Credentials: Send + Sync + 'static {
    /// The hash of somebody's password.
    async fn password(&self, user: &CustomerId) -> Kept<Option<String>>;
    /// Sets the hash of a new account's password. Tokens that reset a password work no more.
    async fn set_password(&self, user: &CustomerId, hash: &str) -> Kept<()>;
    /// Sets another hash of the same password, unless the hash was replaced meanwhile.
    async fn replace_password(&self, user: &CustomerId, old: &str, new: &str) -> Kept<bool>;
    /// Sets the hash of another password, unless the hash was replaced meanwhile. Tokens that reset a password go or
    /// stay, as is asked.
    async fn change_password(
        &self,
        user: &CustomerId,
        old: &str,
        new: &str,
        resets: ResetsAtChange,
    ) -> Kept<bool>;
    /// Takes a token that resets a password, once, sets the hash, and removes the links if that is asked: all or
    /// nothing. Returns the token's account, when the token still works. Other tokens that reset this password work
    /// no more.
    async fn reset_password(
        &self,
        token: &[u8; 32],
        new: &str,
        links: LinksAtReset,
        now: Timestamp,
    ) -> Kept<Option<CustomerId>>;

    /// Keeps the keyed hash of an account's e-mail address, with the alias that stands for the address in the log;
    /// when the hash of a password is given, only while it is the account's.
    async fn keep_email(
        &self,
        user: &CustomerId,
        name: &EmailHash,
        alias: &EmailHash,
        password: Option<&str>,
    ) -> Kept<()>;
    /// The alias of an address by its keyed hash, if an account has it.
    async fn email_alias(&self, name: &EmailHash) -> Kept<Option<EmailHash>>;

    /// Whose account an identity provider's subject belongs to.
    async fn linked(&self, issuer: &str, subject: &str) -> Kept<Option<CustomerId>>;
    /// Lets it belong to somebody.
    async fn link(&self, issuer: &str, subject: &str, user: &CustomerId, now: Timestamp) -> Kept<()>;
    /// Takes an issuer's word for somebody no more, unless it is their last way to sign in.
    async fn unlink(&self, issuer: &str, user: &CustomerId) -> Kept<Unlinked>;
    /// The issuers whose word is taken for somebody's.
    async fn links_of(&self, user: &CustomerId) -> Kept<Vec<String>>;

    /// Begins a session.
    async fn open_family(&self, family: &Family) -> Kept<()>;
    /// A session by its id.
    async fn family(&self, id: Uuid) -> Kept<Option<Stored>>;
    /// Writes a session back, unless somebody else did since it was read.
    async fn replace_family(&self, stored: &Stored) -> Kept<bool>;
    /// Somebody's sessions that are not over.
    async fn families_of(&self, user: &CustomerId, now: Timestamp) -> Kept<Vec<Stored>>;
    /// Sessions that were ended since then.
    async fn revoked_since(&self, since: Timestamp) -> Kept<Vec<Family>>;

    /// Keeps a one-time token. Those of before for the same purpose work no more.
    async fn keep_one_time(&self, token: &OneTimeToken) -> Kept<()>;
    /// Looks at a token that still works, and leaves it.
    async fn one_time(&self, hash: &[u8; 32], purpose: Purpose, now: Timestamp) -> Kept<Option<MailedTo>>;
    /// Takes a token, once: whose it is, when it still works.
    async fn take_one_time(
        &self,
        hash: &[u8; 32],
        purpose: Purpose,
        now: Timestamp,
    ) -> Kept<Option<CustomerId>>;

    /// Counts a mail, unless one of the counts has its most: whether the mail may be sent. Erasures leave counts.
    async fn count_mail(&self, counts: &[MailCount], now: Timestamp) -> Kept<bool>;

    /// Notes a sign-in.
    async fn note(&self, sign_in: &SignIn) -> Kept<()>;
    /// Sign-ins before an id, newest first; somebody's or everybody's.
    async fn sign_ins(
        &self,
        user: Option<&CustomerId>,
        before: Option<Uuid>,
        limit: u32,
    ) -> Kept<Vec<SignIn>>;

    /// Of these people, those of whom something is kept, but for sessions that were ended. Nothing is written.
    async fn kept_of(&self, people: &[CustomerId]) -> Kept<Vec<CustomerId>>;

    /// Forgets everything about somebody, but for which of their sessions were ended a moment ago.
    async fn forget(&self, user: &CustomerId, email_hashes: &[EmailHash]) -> Kept<()>;
    /// Removes what is over and what is no longer to be kept, in bounded steps.
    async fn sweep(&self, now: Timestamp) -> Kept<()>;
}
