//! The reads by URL: a real log, real projectors, a real read-model database, and the router.

#![allow(clippy::unwrap_used, reason = "a test that can't go on has failed")]

mod admin;
mod cart;
#[path = "../../../tests/api/documented.rs"]
mod documented;
mod documents;
mod export;
mod inventory;
mod orders;
mod pages;
mod payments;
mod plans;
mod positions;
mod products;
mod sales;
mod shop;
mod users;
