//! `/api/products`: the catalogue, by admins.

pub mod contents;
pub mod request;
pub mod routes;
mod schema;
pub mod write;
