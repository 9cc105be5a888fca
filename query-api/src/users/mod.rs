//! `/api/users/me`: account, addresses, preferences and data export of the caller.

mod export;
mod response;
pub mod routes;
