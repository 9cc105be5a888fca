//! Tests of the write API through its router. The file names follow the paths: `products.rs` tests
//! `/api/products`.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

mod admin;
mod auth;
mod cart;
mod inventory;
mod orders;
mod payments;
mod products;
mod rules;
mod users;
