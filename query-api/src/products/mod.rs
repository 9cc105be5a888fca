//! Products: the catalogue, public for all callers.

mod page;
pub(crate) mod response;
pub(crate) mod routes;
mod sort;
