//! Products: the catalogue, public for all callers.

pub(crate) mod response;
pub(crate) mod routes;
pub mod statements;
