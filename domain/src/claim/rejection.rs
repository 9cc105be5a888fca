//! Reasons why a claim is refused.

use souk_eventsourcing::Rejection;

use crate::problem::ProblemKind::Conflict;
use crate::problem::{ProblemEntry, PublicRejection};

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

impl PublicRejection for ClaimRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[ProblemEntry::new(
        "claim-taken",
        Conflict,
        "The value is taken",
        "The value must be unique, and it already belongs to another owner.",
    )];
}
