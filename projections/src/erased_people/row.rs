//! The document of somebody who is erased.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// An erasure that the log knows of.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasedPersonRow {
    /// Since when.
    pub at: Timestamp,
}
