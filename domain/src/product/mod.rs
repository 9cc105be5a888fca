//! A product with its variants. A SKU is claimed by one product; see [`crate::claim`].

pub mod command;
pub mod event;
