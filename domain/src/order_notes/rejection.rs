//! Reasons why a command to the notes on an order is refused.

use souk_eventsourcing::Rejection;

use crate::limits::NOTES_MAX;
use crate::problem::ProblemKind::Conflict;
use crate::problem::{ProblemEntry, PublicRejection};

/// Reason why a command is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OrderNotesRejection {
    /// The note does not exist or was removed.
    #[error("there is no such note")]
    NotFound,
    /// The order has too many notes.
    #[error("an order has at most {NOTES_MAX} notes")]
    TooMany,
}

impl Rejection for OrderNotesRejection {
    fn code(&self) -> &'static str {
        match self {
            Self::NotFound => "note-not-found",
            Self::TooMany => "too-many-notes",
        }
    }
}

impl PublicRejection for OrderNotesRejection {
    const PROBLEMS: &'static [ProblemEntry] = &[
        ProblemEntry::new(
            "too-many-notes",
            Conflict,
            "The order has too many notes",
            "Delete a note before you write another one.",
        ),
        ProblemEntry::new(
            "order-erased",
            Conflict,
            "The personal data of the order was erased",
            "A note on the order can't be kept, because no key is left that could encrypt it.",
        ),
    ];
}
