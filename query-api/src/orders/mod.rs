//! Orders: callers see their own orders, admins see all.

pub(crate) mod owner;
pub(crate) mod page;
pub(crate) mod response;
pub(crate) mod routes;
