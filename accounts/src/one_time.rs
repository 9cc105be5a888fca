//! Tokens that are mailed and work once: to verify an address, to set a new password.

use base64::Engine as _;
use base64::prelude::BASE64_URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use souk_domain::CustomerId;

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
    /// When it works no more.
    pub expires_at: Timestamp,
}

impl OneTimeToken {
    /// A new one, and the text to mail.
    pub fn make(
        user: CustomerId,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<(Self, String), getrandom::Error> {
        let mut secret = [0; 24];
        getrandom::fill(&mut secret)?;
        let text = BASE64_URL_SAFE_NO_PAD.encode(secret);
        Ok((Self { hash: Self::hash_of(&text), user, purpose, expires_at: now + purpose.ttl() }, text))
    }

    /// What the text of a token is kept as.
    pub fn hash_of(text: &str) -> [u8; 32] {
        *blake3::hash(text.as_bytes()).as_bytes()
    }
}
