//! Model of the shop for tests: orders of all kinds, a payment provider that records the money that it holds,
//! has captured and has refunded, and checks that the log agrees with these records.
//!
//! The property tests of this crate and the simulation use the model.

#![allow(
    clippy::unwrap_used,
    clippy::missing_panics_doc,
    reason = "a panic is the failure message of a test"
)]

pub mod books;
pub mod drafts;
pub mod provider;
