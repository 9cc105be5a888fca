//! The sales report: what was sold on which day.

pub(crate) mod response;
pub(crate) mod routes;
