//! Commands to a claim.

/// A command to one claim. The key is part of the stream's name: `claim-sku-85123A`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimCommand {
    /// Claims the key for an owner.
    Claim {
        /// Stream that will hold the key.
        owner: String,
        /// Epoch of the owner in which it will hold the key.
        epoch: u64,
    },
    /// Releases the key, if `owner` claimed it in an earlier epoch.
    Release {
        /// Stream that does not hold the key.
        owner: String,
        /// Epoch of the owner at the time when it did not hold the key.
        epoch: u64,
    },
}
