//! Notes that staff write on an order. Buyers never see them.
//!
//! There is one stream for each order (`notes-ORDER`). A note is free text and may name the buyer, so its
//! text is sealed with the key of the order's person. Once that key is destroyed, nobody can read the text.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub(crate) mod id;
pub mod rejection;
pub mod state;

pub use command::OrderNotesCommand;
pub use event::OrderNotesEvent;
pub use rejection::OrderNotesRejection;
pub use state::OrderNotesState;

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::OrderId;

/// Memory cost of a note in a state, in parts: a sealed text is much larger than an order line.
const NOTE_PARTS: usize = 10;

/// The aggregate: the notes on one order.
#[derive(Debug)]
pub struct OrderNotes;

impl OrderNotes {
    /// Returns the stream of the notes on an order.
    pub fn stream(order: OrderId) -> StreamName {
        StreamName::new(Self::CATEGORY, &order.to_string())
    }
}

impl Decider for OrderNotes {
    const CATEGORY: &'static str = "notes";
    type State = OrderNotesState;
    type Command = OrderNotesCommand;
    type Event = OrderNotesEvent;
    type Rejection = OrderNotesRejection;

    fn decide(
        state: &OrderNotesState,
        command: &OrderNotesCommand,
        context: &Context,
    ) -> Result<Vec<OrderNotesEvent>, OrderNotesRejection> {
        decide::decide(state, command, context)
    }

    fn evolve(state: OrderNotesState, event: &OrderNotesEvent) -> OrderNotesState {
        evolve::evolve(state, event)
    }

    fn parts(state: &OrderNotesState) -> usize {
        1 + NOTE_PARTS * state.notes.len()
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
