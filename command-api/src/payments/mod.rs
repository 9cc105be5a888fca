//! `/api/payments`: attempts to be paid, refunds, dead letters, and what the provider calls about.

pub mod dead_letters;
pub mod request;
pub mod routes;
pub mod webhook;
