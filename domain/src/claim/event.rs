//! Events of a claim.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

/// An owner claimed the key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claimed {
    /// Stream of the owner.
    pub owner: String,
    /// Epoch of the owner in which the key was claimed.
    pub epoch: u64,
}

/// The key was released and can be claimed by another owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// Stream of the previous owner.
    pub owner: String,
}

event_enum! {
    /// Events of a claim.
    pub enum ClaimEvent {
        Claimed = "claim.claimed" v 1,
        Released = "claim.released" v 1,
    }
}
