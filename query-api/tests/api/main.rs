//! Tests of the reads by URL, with a real log, real projectors, a real database of read models, and the
//! router.

#![allow(clippy::unwrap_used, reason = "a panic in a test is a failure of the test")]

mod admin;
mod cart;
mod inventory;
mod orders;
mod payments;
mod products;
mod rules;
mod users;
