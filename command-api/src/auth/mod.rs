//! `/api/auth`: signing up, in and out, passwords, and the trail of all that.

pub mod accounts;
pub mod addresses;
pub mod mailed;
pub mod passwords;
pub mod providers;
pub mod request;
pub mod return_path;
pub mod routes;
pub mod sessions;
