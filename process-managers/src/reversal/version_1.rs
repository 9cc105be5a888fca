//! Frozen rules for transitions of schema version 1, which did not record their moves.
//!
//! Do not change this file when the rules change. Golden logs test that it still derives what was recorded.

use souk_eventsourcing::process::Input;

use super::evolve::take_in;
use super::input::ReversalEvent;
use super::state::{Progress, ReversalState};
use super::step::ReversalStep;

/// Returns the state after a transition. The transition of the first event requested everything; the
/// transition with the last answers ended the reversal. A reversal with nothing to return ended at once.
pub(super) fn enter(state: ReversalState, inputs: &[Input<ReversalEvent, ReversalStep>]) -> ReversalState {
    let is_begun = state.begun.is_some();
    let mut state = inputs.iter().fold(state, take_in);
    let has_nothing = state
        .begun
        .as_ref()
        .is_some_and(|(_, reversal)| reversal.refund.is_none() && reversal.lines.is_empty());
    state.progress = if is_begun || has_nothing { Progress::Ended } else { Progress::Requested };
    state
}
