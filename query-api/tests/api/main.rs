//! Tests of the reads by URL, with a real log, real projectors, a real database of read models, and the
//! router.

#![allow(clippy::unwrap_used, reason = "a panic in a test is a failure of the test")]

mod admin;
mod cart;
#[path = "../../../tests/api/documented.rs"]
mod documented;
mod documents;
mod export;
mod inventory;
mod order_notes;
mod orders;
mod pages;
mod payments;
mod plans;
mod positions;
mod products;
mod sales;
mod shop;
mod users;
