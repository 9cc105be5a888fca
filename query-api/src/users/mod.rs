//! `/api/users/me`: what is known of the caller.

mod response;
pub mod routes;
