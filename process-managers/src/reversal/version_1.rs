//! The rules of transitions of version 1, frozen: those recorded no moves. Never change this file with the
//! rules; golden logs hold it to what was recorded.

use souk_eventsourcing::process::Input;

use super::evolve::take_in;
use super::input::ReversalEvent;
use super::state::{Progress, ReversalState};
use super::step::ReversalStep;

/// The state after a transition: the event that began it asked for everything, and the last answers, which
/// came by one transition, ended it. A reversal with nothing to give back ended at once.
pub(super) fn enter(state: ReversalState, inputs: &[Input<ReversalEvent, ReversalStep>]) -> ReversalState {
    let is_begun = state.begun.is_some();
    let mut state = inputs.iter().fold(state, take_in);
    let has_nothing = state
        .begun
        .as_ref()
        .is_some_and(|(_, reversal)| reversal.refund.is_none() && reversal.lines.is_empty());
    state.progress = if is_begun || has_nothing { Progress::Ended } else { Progress::Asked };
    state
}
