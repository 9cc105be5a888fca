//! The moves of a settlement.

use serde::{Deserialize, Serialize};

use super::state::SettlementState;

/// A move.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "kebab-case")]
pub enum SettlementMove {
    /// Asks the provider.
    PayBack,
    /// The provider has answered: the end.
    Settle,
}

impl SettlementMove {
    /// Makes the move.
    pub(super) fn enter(&self, state: &mut SettlementState) {
        match self {
            Self::PayBack => state.asked = true,
            Self::Settle => state.settled = true,
        }
    }
}
