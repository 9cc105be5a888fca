//! `/api/products`: the catalogue, which admins change.

pub mod contents;
pub mod request;
pub mod routes;
mod schema;
pub mod write;
