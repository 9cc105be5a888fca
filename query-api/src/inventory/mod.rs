//! Inventory: how much there is of a SKU.

pub(crate) mod response;
pub(crate) mod routes;
