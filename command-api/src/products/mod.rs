//! `/api/products`: the catalogue, by admins.

pub mod request;
pub mod routes;
pub mod write;
