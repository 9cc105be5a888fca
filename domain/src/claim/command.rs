//! What can be asked of a claim.

/// A command to one claim. The key is the stream's: `claim-sku-85123A`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ClaimCommand {
    /// Claims the key for an owner.
    Claim {
        /// The stream that will hold the key.
        owner: String,
    },
    /// Gives the key up, when `owner` has it.
    Release {
        /// The stream that held it.
        owner: String,
    },
}
