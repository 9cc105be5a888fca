//! Dead letters of the payment provider: refunds and voids that it refused and that nobody has seen to.

mod response;
pub(crate) mod routes;
