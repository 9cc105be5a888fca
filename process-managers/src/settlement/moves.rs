//! The moves of a settlement.

use serde::{Deserialize, Serialize};

use super::state::SettlementState;

/// A move of a settlement.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "kebab-case")]
pub enum SettlementMove {
    /// Calls the provider to void or refund.
    PayBack,
    /// Ends the settlement, because the provider has answered.
    Settle,
}

impl SettlementMove {
    /// Applies the move to the state.
    pub(super) fn enter(&self, state: &mut SettlementState) {
        match self {
            Self::PayBack => state.is_provider_called = true,
            Self::Settle => state.is_ended = true,
        }
    }
}
