//! Dead letters: refunds and voids that the payment provider refused and that staff have not resolved yet.

mod response;
pub(crate) mod routes;
