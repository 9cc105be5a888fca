//! What an input makes of a reversal.

use souk_eventsourcing::process::Input;

use super::decide::decide;
use super::input::ReversalEvent;
use super::state::ReversalState;
use super::step::ReversalStep;

/// The state after an input. A refusal is an answer too: it must not stop the rest.
pub fn evolve(mut state: ReversalState, input: &Input<ReversalEvent, ReversalStep>) -> ReversalState {
    match input {
        Input::Event(event) => {
            state.unanswered = decide(input).len();
            state.begun = Some((event.order, event.reversal.clone()));
        }
        Input::Done(_) | Input::Unchanged(_) | Input::Refused { .. } => {
            state.unanswered = state.unanswered.saturating_sub(1);
        }
        Input::Fired(_) => {}
    }
    state
}
