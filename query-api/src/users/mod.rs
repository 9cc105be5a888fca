//! `/api/users/me`: what is known of the caller.

mod export;
mod response;
pub mod routes;
