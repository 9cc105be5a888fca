//! Decides the next move of a settlement.

use souk_eventsourcing::process::{Decision, Output};

use super::moves::SettlementMove;
use super::state::SettlementState;
use super::step::SettlementStep;

/// Returns the next move, or `None` while the settlement waits for the provider's answer. The settlement
/// requests one call of the provider. It ends with any answer of the provider, even if that answer belongs to
/// another call or arrives by webhook.
pub fn decide(state: &SettlementState) -> Option<Decision<SettlementMove, SettlementStep>> {
    if state.is_answered {
        return Some(Decision { next_move: SettlementMove::Settle, outputs: Vec::new() });
    }
    let is_call_due = state.debt.is_some() && !state.is_provider_called;
    let outputs = vec![Output::Effect(SettlementStep::PayBack)];
    is_call_due.then_some(Decision { next_move: SettlementMove::PayBack, outputs })
}
