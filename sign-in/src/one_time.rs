//! One-time tokens, which are mailed to verify an e-mail address or to reset a password. Each works once.
//!
//! The store holds only the hash of a token. A token works for only one purpose, and until it expires.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use souk_domain::{CustomerId, EmailHash};

/// Purpose of a token. The token works for nothing else.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Purpose {
    /// Proof that the account's owner receives mail at the e-mail address.
    VerifyEmail,
    /// Permission to set a new password.
    ResetPassword,
}

impl Purpose {
    /// Returns the name of the purpose in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::VerifyEmail => "verify-email",
            Self::ResetPassword => "reset-password",
        }
    }

    /// Returns the lifetime of a token.
    pub fn ttl(self) -> SignedDuration {
        match self {
            Self::VerifyEmail => SignedDuration::from_hours(24),
            Self::ResetPassword => SignedDuration::from_mins(30),
        }
    }
}

/// A one-time token as it is stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OneTimeToken {
    /// Hash of the token's text, which was mailed.
    pub hash: [u8; 32],
    /// Account of the token.
    pub user: CustomerId,
    /// Purpose of the token.
    pub purpose: Purpose,
    /// Keyed hash of the e-mail address that the token was mailed to. The token verifies no other address.
    pub email_hash: EmailHash,
    /// Time at which the token expires.
    pub expires_at: Timestamp,
}

/// Account of a valid token, and keyed hash of the e-mail address that the token was mailed to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MailedTo {
    /// Account of the token.
    pub user: CustomerId,
    /// Keyed hash of the e-mail address that the token was mailed to. `None` for tokens of older versions,
    /// which did not store it; accounts could not change their address then.
    pub email_hash: Option<EmailHash>,
}

impl MailedTo {
    /// Returns true if the token was mailed to this address, or if the token's address is not known.
    pub fn is_for_address(&self, email_hash: &EmailHash) -> bool {
        self.email_hash.as_ref().is_none_or(|mailed_to| mailed_to == email_hash)
    }
}

impl OneTimeToken {
    /// Creates a token. Returns it together with the text to mail.
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

    /// Returns the hash under which a token's text is stored.
    pub fn hash_of(text: &str) -> [u8; 32] {
        *blake3::hash(text.as_bytes()).as_bytes()
    }
}
