//! Mails to users, and the port that sends them.

use std::fmt;

use async_trait::async_trait;
use jiff::Timestamp;
use souk_domain::{CustomerId, Email};

/// A mail to a user. `Debug` shows neither the address nor the content.
#[derive(Clone)]
pub struct Mail {
    /// Account that the mail is about. The mail is deleted when the account is erased.
    pub user: CustomerId,
    /// E-mail address of the recipient.
    pub to: Email,
    /// Subject line.
    pub subject: String,
    /// Body of the mail, as plain text.
    pub text: String,
}

impl fmt::Debug for Mail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Mail").field("user", &self.user).finish_non_exhaustive()
    }
}

/// A sent mail without its text. The text is left out because it may contain a token, which only the reader
/// of the mailbox may see.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SentMail {
    /// Time at which the mail was sent.
    pub at: Timestamp,
    /// Subject line.
    pub subject: String,
}

/// Error: mail could not be sent, read or deleted.
#[derive(Clone, Debug, thiserror::Error)]
#[error("mail is unavailable: {0}")]
pub struct MailFailed(pub String);

/// Port that sends mail and stores what was sent.
#[async_trait]
pub trait Outbox: Send + Sync + 'static {
    /// Sends a mail, or passes it on to a program that will send it.
    async fn send(&self, mail: Mail) -> Result<(), MailFailed>;

    /// Returns the stored mails of an account, newest first.
    async fn sent_to(&self, user: &CustomerId) -> Result<Vec<SentMail>, MailFailed>;

    /// Deletes the stored mails of an account.
    async fn forget(&self, user: &CustomerId) -> Result<(), MailFailed>;
}
