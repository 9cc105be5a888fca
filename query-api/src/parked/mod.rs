//! What read models and processes can't bring further.

pub(crate) mod response;
pub(crate) mod routes;
