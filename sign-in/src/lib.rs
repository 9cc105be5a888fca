//! Sign-in: passwords, sessions, one-time tokens, and delays for callers who guess.
//!
//! Each decision is a pure function of the stored data, the presented secret and the time. Only secrets are
//! random. Accounts are in the event log (`souk_domain::user`). Password hashes, sessions and tokens are in
//! [`Credentials`], a store apart from the log, because they are overwritten and deleted. If that store
//! fails, nobody can sign in, and the caller gets an error.

pub mod credentials;
pub mod identity_provider;
pub mod mail;
pub mod mail_limit;
pub mod one_time;
pub mod password;
mod problem;
pub mod session;
pub mod session_end;
pub mod throttle;

pub use credentials::{
    Credentials, CredentialsUnavailable, LinksAtReset, ResetsAtChange, SignIn, SignInKind, UnlinkOutcome,
};
pub use identity_provider::{Identity, IdentityProviders, ProviderFailed};
pub use mail::{Mail, Outbox, SentMail};
pub use mail_limit::MailCount;
pub use one_time::{MailedTo, OneTimeToken, Purpose};
pub use password::{Password, PasswordRefused, Passwords};
pub use problem::PROBLEMS;
pub use session::{RefreshToken, Session};
pub use session_end::{AccessDenials, SessionsError, end_all_sessions};
