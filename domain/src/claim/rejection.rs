//! Why a claim is refused.

use souk_eventsourcing::Rejection;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ClaimRejection {
    /// Somebody else has the key.
    #[error("{owner} has it")]
    Taken {
        /// The owner's stream.
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
