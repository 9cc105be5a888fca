//! The moves of a reversal.

use serde::{Deserialize, Serialize};

use super::state::{Progress, ReversalState};

/// A move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "kebab-case")]
pub enum ReversalMove {
    /// Asks for the refund and puts the goods back on hand.
    GiveBack,
    /// Everything is answered: the end.
    End,
}

impl ReversalMove {
    /// Makes the move.
    pub(super) fn enter(&self, state: &mut ReversalState) {
        state.progress = match self {
            Self::GiveBack => Progress::Asked,
            Self::End => Progress::Ended,
        };
    }
}
