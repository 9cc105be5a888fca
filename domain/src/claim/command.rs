//! What can be asked of a claim.

/// A command to one claim. The key is the stream's: `claim-sku-85123A`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimCommand {
    /// Claims the key for an owner.
    Claim {
        /// The stream that will hold the key.
        owner: String,
        /// The owner's epoch, in which it will.
        epoch: u64,
    },
    /// Gives the key up, when `owner` claimed it in an earlier epoch.
    Release {
        /// The stream that doesn't hold it.
        owner: String,
        /// The owner's epoch as of when it didn't.
        epoch: u64,
    },
}
