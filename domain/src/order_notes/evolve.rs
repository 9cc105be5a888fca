//! Applies events to the state of the notes on an order.

use super::event::OrderNotesEvent;
use super::state::OrderNotesState;

/// Returns the state after an event.
pub fn evolve(mut state: OrderNotesState, event: &OrderNotesEvent) -> OrderNotesState {
    match event {
        OrderNotesEvent::Written(event) => {
            state.notes.insert(event.note, event.text.clone());
        }
        OrderNotesEvent::Rewritten(event) => {
            state.notes.insert(event.note, event.text.clone());
        }
        OrderNotesEvent::Removed(event) => {
            state.notes.remove(&event.note);
        }
        OrderNotesEvent::Resealed(event) => {
            state.notes.insert(event.note, event.text.clone());
        }
    }
    state
}
