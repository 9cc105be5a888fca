//! Why skipping is refused.

use souk_eventsourcing::Rejection;

use super::decide::{REASON_CHARS_MAX, SKIPS_MAX};

/// A refusal.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipsRejection {
    /// Nobody says why, or at too great a length.
    #[error("say why, in 1 to {REASON_CHARS_MAX} characters")]
    Reason,
    /// So much is skipped that the projector or process should be mended.
    #[error("{SKIPS_MAX} events are skipped already: mend what can't take them")]
    TooMany,
}

impl Rejection for SkipsRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::Reason => "reason-required",
            Self::TooMany => "too-many-skips",
        }
    }
}
