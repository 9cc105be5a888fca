//! Reasons why an event may not be skipped.

use souk_eventsourcing::Rejection;

use super::decide::SKIPS_MAX;
use crate::problem::ProblemKind::Conflict;
use crate::problem::{ProblemEntry, PublicRejection};
use crate::text::TextError;

/// Reason why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SkipsRejection {
    /// The reason is missing or not allowed.
    #[error("a reason is needed: {0}")]
    Reason(TextError),
    /// Too many events are skipped: the projector or process must be fixed instead.
    #[error("{SKIPS_MAX} events are already skipped, which is the limit: fix the projector or process")]
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

impl PublicRejection for SkipsRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[ProblemEntry::new(
        "too-many-skips",
        Conflict,
        "Too many events are skipped",
        "Fix the read model or process that can't apply these events.",
    )];

    const FIELD_POINTERS: &'static [(&'static str, &'static str)] = &[("reason-required", "/reason")];
}
