//! Row of the read model `erased_people`.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::Timestamp;

/// Erasure of a person, as recorded in the log.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct ErasedPersonRow {
    /// Time of the first event that records the erasure.
    pub at: Timestamp,
}
