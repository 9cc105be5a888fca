//! `/api/auth`: sign-up, sign-in, sign-out, passwords, identity providers, and the list of sign-in events.

pub mod accounts;
pub mod addresses;
pub mod mailed_tokens;
pub mod passwords;
pub mod providers;
pub mod request;
pub mod return_path;
pub mod routes;
pub mod sessions;
