//! What an event makes of what is skipped.

use super::event::SkipsEvent;
use super::state::SkipsState;

/// The state after an event.
pub fn evolve(mut state: SkipsState, event: &SkipsEvent) -> SkipsState {
    let SkipsEvent::Skipped(event) = event;
    state.skipped.push(event.skip.clone());
    state
}
