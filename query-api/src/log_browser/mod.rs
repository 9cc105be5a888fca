//! Log browser for admins: the only part of the query side that reads the log.
//!
//! Events are shown as they were written, except for a few hidden fields.

pub(crate) mod correlations;
pub(crate) mod response;
pub(crate) mod routes;
