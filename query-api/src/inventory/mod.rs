//! `GET /api/inventory/stock` and `/api/inventory/stock/{sku}`.

pub mod response;
pub mod routes;
