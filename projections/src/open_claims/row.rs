//! Row of the read model `open_claims`.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// Open claim: its owner does not hold the claimed key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenClaimRow {
    /// Stream of the product or user that claimed the key.
    pub owner: String,
    /// Time since which the claim is open.
    pub since: Timestamp,
}
