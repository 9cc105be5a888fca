//! Applies events to the state of the aggregate `skips`.

use super::event::SkipsEvent;
use super::state::SkipsState;

/// Returns the state after an event.
pub fn evolve(mut state: SkipsState, event: &SkipsEvent) -> SkipsState {
    let SkipsEvent::Skipped(event) = event;
    state.skipped.push(event.skip.clone());
    state
}
