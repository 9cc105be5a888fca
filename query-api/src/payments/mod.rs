//! Payments: those of the caller's orders, and every one for admins.

pub(crate) mod response;
pub(crate) mod routes;
