//! The rules of transitions of version 1, frozen: those recorded no moves. Never change this file with the
//! rules; golden logs hold it to what was recorded.

use souk_eventsourcing::process::Input;

use super::evolve::take_in;
use super::input::SettlementEvent;
use super::state::SettlementState;
use super::step::SettlementStep;

/// The state after a transition: a request was one effect, an answer the end.
pub(super) fn enter(
    state: SettlementState,
    inputs: &[Input<SettlementEvent, SettlementStep>],
) -> SettlementState {
    let mut state = inputs.iter().fold(state, take_in);
    state.asked = state.debt.is_some();
    state.settled = state.answered;
    state
}
