//! Browsing the log: the one part of the query side that reads events, and never anything else.
//!
//! For admins only. Events are shown as they were written.

pub(crate) mod correlations;
pub(crate) mod response;
pub(crate) mod routes;
