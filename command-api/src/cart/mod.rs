//! `/api/cart`: guests' and customers' carts.

pub mod lookup;
pub mod merge;
pub mod request;
pub mod routes;
