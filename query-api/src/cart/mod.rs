//! Carts: the caller's cart with current names, prices and stock.

pub(crate) mod response;
pub(crate) mod routes;
