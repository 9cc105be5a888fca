//! Parked entities of read models and processes: an event could not be applied to them, and waits for an
//! operator.

pub(crate) mod response;
pub(crate) mod routes;
