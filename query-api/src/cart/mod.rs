//! Carts: what the caller has put aside, with prices, names and stock as of now.

pub(crate) mod response;
pub(crate) mod routes;
