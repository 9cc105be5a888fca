//! Reasons why a webhook is not stored.

use souk_eventsourcing::Rejection;

use super::state::STORED_MAX;
use crate::problem::ProblemKind::Conflict;
use crate::problem::{ProblemEntry, PublicRejection};

/// Reason why a webhook is not stored.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRejection {
    /// Too many webhooks about one payment are stored.
    #[error("{STORED_MAX} webhooks about this unknown payment are already stored, which is the limit")]
    TooMany,
}

impl Rejection for WebhookRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::TooMany => "too-many-webhooks",
        }
    }
}

impl PublicRejection for WebhookRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[ProblemEntry::new(
        "too-many-webhooks",
        Conflict,
        "Too many webhooks about an unknown payment",
        "Check the provider's payment id.",
    )];
}
