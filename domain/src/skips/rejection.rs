//! Why skipping is refused.

use souk_eventsourcing::Rejection;

use super::decide::SKIPS_MAX;
use crate::text::TextError;

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipsRejection {
    /// The reason is missing or not allowed.
    #[error("say why: {0}")]
    Reason(TextError),
    /// So much is skipped that the projector or process should be mended.
    #[error("{SKIPS_MAX} events are skipped already: mend what can't take them")]
    TooMany,
}

impl Rejection for SkipsRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Reason(_) => "reason-required",
            Self::TooMany => "too-many-skips",
        }
    }
}
