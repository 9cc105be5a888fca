//! `/api/orders/{id}/notes`: notes that staff write on an order.

pub mod request;
pub mod routes;
