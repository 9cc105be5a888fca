//! A model of the shop for tests: orders of every kind, a payment provider with books of its own, and the rules
//! that the log and the provider's books must keep.
//!
//! The property tests of this crate and the simulation use it.

#![allow(clippy::unwrap_used, clippy::missing_panics_doc, reason = "in a test a panic is the message")]

pub mod books;
pub mod drafts;
pub mod provider;
