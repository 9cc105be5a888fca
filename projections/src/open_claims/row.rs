//! Row of the read model `open_claims`.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// Open claim: its product does not have the claimed SKU, or its user does not have the claimed e-mail
/// address.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenClaimRow {
    /// Stream of the product or user that made the claim.
    pub owner: String,
    /// Time since which the claim is open.
    pub since: Timestamp,
}
