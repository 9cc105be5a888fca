//! `/api/users/me`: what people say of themselves, and their erasure.

pub mod erasure;
pub mod request;
pub mod routes;
