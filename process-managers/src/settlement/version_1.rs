//! Frozen rules for transitions of schema version 1, which did not record their moves.
//!
//! Do not change this file when the rules change. Golden logs test that it still derives what was recorded.

use souk_eventsourcing::process::Input;

use super::evolve::take_in;
use super::input::SettlementEvent;
use super::state::SettlementState;
use super::step::SettlementStep;

/// Returns the state after a transition: a request led to one provider call, and an answer ended the
/// settlement.
pub(super) fn enter(
    state: SettlementState,
    inputs: &[Input<SettlementEvent, SettlementStep>],
) -> SettlementState {
    let mut state = inputs.iter().fold(state, take_in);
    state.is_provider_called = state.debt.is_some();
    state.is_ended = state.is_answered;
    state
}
