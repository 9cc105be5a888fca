//! `/api/payments`: payment attempts, refunds, dead letters, and webhooks of the payment provider.

pub mod dead_letters;
pub mod request;
pub mod routes;
pub mod webhook;
