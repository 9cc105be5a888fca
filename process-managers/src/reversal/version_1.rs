//! Frozen rules for transitions of schema version 1, which did not record their moves.
//!
//! Do not change this file when the rules change. Tests continue golden logs with these rules.

use souk_eventsourcing::process::Input;

use super::evolve::take_in;
use super::input::ReversalEvent;
use super::state::{Progress, ReversalState};
use super::step::ReversalStep;

/// Returns the state after a transition. The first transition requested the refund and all restocks. The
/// second one, with the last answers, ended the reversal. If there was nothing to return, the first one ended
/// it.
pub(super) fn enter(state: ReversalState, inputs: &[Input<ReversalEvent, ReversalStep>]) -> ReversalState {
    let was_begun = state.begun.is_some();
    let mut state = inputs.iter().fold(state, take_in);
    let has_nothing_to_return = state
        .begun
        .as_ref()
        .is_some_and(|(_, reversal)| reversal.refund.is_none() && reversal.lines.is_empty());
    state.progress = if was_begun || has_nothing_to_return { Progress::Ended } else { Progress::Requested };
    state
}
