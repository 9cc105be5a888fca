//! Mail, on its way to somebody.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use souk_domain::{CustomerId, Email};

/// A mail. What it says is for its reader alone: never shown by `Debug`.
#[derive(Clone)]
pub struct Mail {
    /// Whom it is about: it goes with them.
    pub user: CustomerId,
    /// Where to.
    pub to: Email,
    /// What it is about, in a few words.
    pub subject: String,
    /// What it says.
    pub text: String,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A mail that is kept, but for what it says: the token in it is for those who can read the mailbox.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    /// When it was sent.
    pub at: Timestamp,
    /// What it is about.
    pub subject: String,
}

/// It could not be sent or looked at now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("mail is unavailable: {0}")]
pub struct MailFailed(pub String);

/// Sends mail.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Sends it, or hands it over for good to whoever does.
    async fn send(&self, mail: Mail) -> Result<(), MailFailed>;

    /// What is kept of somebody's mail, newest first.
    async fn sent_to(&self, user: &CustomerId) -> Result<Vec<SentMail>, MailFailed>;

    /// Forgets what is kept of somebody's mail.
    async fn forget(&self, user: &CustomerId) -> Result<(), MailFailed>;
}
