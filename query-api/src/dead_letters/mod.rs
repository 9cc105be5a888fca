//! Dead letters: refunds and voids that the payment provider declined and that staff have not retried,
//! settled or withdrawn.

mod response;
pub(crate) mod routes;
