//! Sales report: orders, units and revenue by day.

pub(crate) mod response;
pub(crate) mod routes;
