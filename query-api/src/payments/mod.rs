//! Payments: callers see the payments of their own orders, admins see all.

pub(crate) mod response;
pub(crate) mod routes;
