//! Why a webhook is not kept.

use souk_eventsourcing::Rejection;

use super::state::KEPT_MAX;

/// A refusal.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WebhookRejection {
    /// There are too many about one payment.
    #[error("{KEPT_MAX} webhooks about this unknown payment are kept already")]
    TooMany,
}

impl Rejection for WebhookRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::TooMany => "too-many-webhooks",
        }
    }
}
