//! Orders: the caller's own, and every one for admins.

pub(crate) mod page;
pub(crate) mod response;
pub(crate) mod routes;
pub mod statements;
