//! Reasons why a claim is refused.

use souk_eventsourcing::Rejection;

/// Reason why a command is refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRejection {
    /// Another owner holds the key.
    #[error("{owner} holds this key")]
    Taken {
        /// Stream of the owner.
        owner: String,
    },
}

impl Rejection for ClaimRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Taken { .. } => "claim-taken",
        }
    }
}
