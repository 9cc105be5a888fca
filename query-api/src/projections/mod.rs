//! Status of the read models: position, lag and number of parked entities.

pub(crate) mod response;
pub(crate) mod routes;
