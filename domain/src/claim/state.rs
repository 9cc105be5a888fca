//! Who has the key.

use serde::Serialize;

/// The state of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimState {
    /// None when the key is free.
    pub held: Option<Held>,
}

/// A key that is somebody's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct Held {
    /// The owner's stream.
    pub owner: String,
    /// The owner's epoch, in which it was last claimed.
    pub epoch: u64,
}
