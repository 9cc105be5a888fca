//! Notes on orders: only admins see them.

pub(crate) mod response;
pub(crate) mod routes;
