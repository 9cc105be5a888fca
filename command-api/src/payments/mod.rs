//! `/api/payments`: tries to be paid, refunds, and what the provider calls about.

pub mod request;
pub mod routes;
pub mod webhook;
