//! What can happen to a claim.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;

/// The key has an owner.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Claimed {
    /// The owner's stream.
    pub owner: String,
    /// The owner's epoch, in which it was claimed.
    pub epoch: u64,
}

/// The key is free.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Released {
    /// The stream that owned it.
    pub owner: String,
}

event_enum! {
    /// What happens to a claim.
    pub enum ClaimEvent {
        Claimed = "claim.claimed" v 1,
        Released = "claim.released" v 1,
    }
}
