//! The document of a cart.

use serde::{Deserialize, Serialize};
use souk_domain::CustomerId;

/// A cart, without its lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartRow {
    /// Whose it is; none for a guest's.
    pub customer: Option<CustomerId>,
    /// Of its stream.
    pub revision: u64,
}
