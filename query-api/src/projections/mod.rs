//! How far each read model is.

pub(crate) mod response;
pub(crate) mod routes;
