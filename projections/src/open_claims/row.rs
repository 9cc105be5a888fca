//! The document of an open claim.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// A claim whose owner doesn't hold the key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct OpenClaimRow {
    /// The stream that claimed it.
    pub owner: String,
    /// Since when.
    pub since: Timestamp,
}
