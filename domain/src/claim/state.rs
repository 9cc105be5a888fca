//! Who has the key.

/// The state of a claim.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClaimState {
    /// None when the key is free.
    pub held: Option<Held>,
}

/// A key that is somebody's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The owner's stream.
    pub owner: String,
    /// The owner's epoch, in which it was last claimed.
    pub epoch: u64,
}
