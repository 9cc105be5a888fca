//! Signing in: passwords, sessions, one-time tokens, and what slows those down who guess.
//!
//! Everything that is decided here is a pure function of what is stored, what was presented and the time.
//! Who has an account is in the log (`souk_domain::user`); what proves that somebody is them is kept by
//! [`Credentials`], apart from the log, since it is deleted and overwritten.

pub mod credentials;
pub mod identity_provider;
pub mod mail;
pub mod mail_limit;
pub mod one_time;
pub mod password;
pub mod session;
pub mod throttle;

pub use credentials::{
    Credentials, CredentialsUnavailable, LinksAtReset, ResetsAtChange, SignIn, SignInKind, Unlinked,
};
pub use identity_provider::{Identity, IdentityProviders, ProviderFailed};
pub use mail::{Mail, Outbox, SentMail};
pub use mail_limit::MailCount;
pub use one_time::{MailedTo, OneTimeToken, Purpose};
pub use password::{Password, PasswordRefused, Passwords};
pub use session::{Family, RefreshToken};
