//! Products: the catalogue, readable by anyone.

pub(crate) mod response;
pub(crate) mod routes;
pub mod statements;
