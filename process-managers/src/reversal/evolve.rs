//! What an input makes of a reversal: the fact that it states is noted, and nothing is decided.

use souk_eventsourcing::process::Input;

use super::input::ReversalEvent;
use super::state::ReversalState;
use super::step::ReversalStep;

/// The state after an input. Answers leave no trace in it: the runtime knows which are missing.
pub fn take_in(mut state: ReversalState, input: &Input<ReversalEvent, ReversalStep>) -> ReversalState {
    if let Input::Event(event) = input {
        state.begun = Some((event.order, event.reversal.clone()));
    }
    state
}
