//! Tokens that are mailed and work once: to verify an address, to set a new password.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use souk_domain::{CustomerId, EmailHash};

/// What a token is for; it is good for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Shows that an e-mail address is somebody's.
    VerifyEmail,
    /// Sets a new password.
    ResetPassword,
}

impl Purpose {
    /// As it is kept.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::ResetPassword => "reset-password",
        }
    }

    /// How long a token works.
    pub fn ttl(self) -> SignedDuration {
        match self {
            Self::VerifyEmail => SignedDuration::from_hours(24),
            Self::ResetPassword => SignedDuration::from_mins(30),
        }
    }
}

/// What is kept of a token: a hash of it, whose it is, and until when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeToken {
    /// The hash of the text that was mailed.
    pub hash: [u8; 32],
    /// Whose it is.
    pub user: CustomerId,
    /// What it is for.
    pub purpose: Purpose,
    /// The hash of the address that it was mailed to: it shows nothing of another address.
    pub email_hash: EmailHash,
    /// When it works no more.
    pub expires_at: Timestamp,
}

/// A token's account and address, while the token works.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailedTo {
    /// The account.
    pub user: CustomerId,
    /// The address that the token was mailed to; none of a token from before this was noted, when no account could
    /// change its address.
    pub email_hash: Option<EmailHash>,
}

impl MailedTo {
    /// Says whether the token was mailed to this address.
    pub fn is_address(&self, email_hash: &EmailHash) -> bool {
        self.email_hash.as_ref().is_none_or(|mailed_to| mailed_to == email_hash)
    }
}

impl OneTimeToken {
    /// A new one, and the text to mail.
    pub fn make(
        user: CustomerId,
        email_hash: EmailHash,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(Self, String), getrandom::Error> {
        let mut secret = [0; 24];
        getrandom::fill(&mut secret)?;
        let text = BASE64_URL_SAFE_NO_PAD.encode(secret);
        let hash = Self::hash_of(&text);
        Ok((Self { hash, user, purpose, email_hash, expires_at: now + purpose.ttl() }, text))
    }

    /// What the text of a token is kept as.
    pub fn hash_of(text: &str) -> [u8; 32] {
        *blake3::hash(text.as_bytes()).as_bytes()
    }
}
