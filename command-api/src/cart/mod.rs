//! `/api/cart`: guests' and customers' carts.

pub mod request;
pub mod routes;
