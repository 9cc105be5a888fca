//! The next move of a settlement.

use souk_eventsourcing::process::{Decision, Output};

use super::moves::SettlementMove;
use super::state::SettlementState;
use super::step::SettlementStep;

/// The provider is asked once; its answer, or that of somebody else's call, ends the settlement.
pub fn decide(state: &SettlementState) -> Option<Decision<SettlementMove, SettlementStep>> {
    if state.answered {
        return Some(Decision { made: SettlementMove::Settle, outputs: Vec::new() });
    }
    let is_to_ask = state.debt.is_some() && !state.asked;
    let outputs = vec![Output::Effect(SettlementStep::PayBack)];
    is_to_ask.then_some(Decision { made: SettlementMove::PayBack, outputs })
}
