//! `GET /api/products` and `/api/products/{id}`.

pub mod response;
pub mod routes;
