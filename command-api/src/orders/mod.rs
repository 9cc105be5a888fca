//! `/api/orders`: from placing to taking back.

pub mod assemble;
pub mod request;
pub mod routes;
