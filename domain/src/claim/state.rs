//! Who has the key.

/// The state of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimState {
    /// The owner's stream; none when the key is free.
    pub owner: Option<String>,
}
