//! Inventory: units on hand, reserved and available by SKU.

pub(crate) mod response;
pub(crate) mod routes;
