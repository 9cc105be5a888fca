//! Row of the read model `carts`.

use serde::{Deserialize, Serialize};
use souk_domain::CustomerId;

/// Cart without its lines.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct CartRow {
    /// Customer who owns the cart; `None` for a guest's cart.
    pub customer: Option<CustomerId>,
    /// Last revision of the cart's stream.
    pub revision: u64,
}
