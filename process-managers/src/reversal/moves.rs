//! The moves of a reversal.

use serde::{Deserialize, Serialize};

use super::state::{Progress, ReversalState};

/// A move of a reversal.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "kebab-case")]
pub enum ReversalMove {
    /// Requests the refund and the restock of each line.
    GiveBack,
    /// Ends the reversal, because every command has its answer.
    End,
}

impl ReversalMove {
    /// Applies the move to the state.
    pub(super) fn enter(&self, state: &mut ReversalState) {
        state.progress = match self {
            Self::GiveBack => Progress::Requested,
            Self::End => Progress::Ended,
        };
    }
}
