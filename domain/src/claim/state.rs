//! State of a claim.

use serde::Serialize;

/// State of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimState {
    /// Owner of the claimed key, with its epoch; `None` if the key is free.
    #[serde(rename = "held")]
    pub holder: Option<ClaimHolder>,
}

/// Owner of a claimed key.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct ClaimHolder {
    /// Stream of the owner.
    pub owner: String,
    /// Epoch of the owner in which the key was last claimed.
    pub epoch: u64,
}
