//! Applies an input to the state of a reversal: records what happened, and decides nothing.

use souk_eventsourcing::process::Input;

use super::input::ReversalEvent;
use super::state::ReversalState;
use super::step::ReversalStep;

/// Returns the state after an input. The state does not record answers: the runtime knows which commands
/// still have none.
pub fn take_in(mut state: ReversalState, input: &Input<ReversalEvent, ReversalStep>) -> ReversalState {
    if let Input::Event(event) = input {
        state.begun = Some((event.order, event.reversal.clone()));
    }
    state
}
