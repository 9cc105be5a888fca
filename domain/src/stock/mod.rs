//! The stock of one SKU, with its reservations.
//!
//! Invariant: `on_hand ≥ reserved ≥ 0` ([`state::is_covered`]). A reservation holds units for an order until
//! the reservation is confirmed (the units leave the shelf), released or expired. The state keeps only open
//! reservations; a repeated command is recognized by its id. A command that cannot be carried out is refused
//! and changes nothing.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub(crate) mod id;
pub mod rejection;
pub mod state;

pub use command::StockCommand;
pub use event::StockEvent;
pub use rejection::StockRejection;
pub use state::{Reservation, StockState};

use souk_eventsourcing::{CommandId, Context, Decider, StreamName};

use crate::Sku;

/// The aggregate: the stock of one SKU.
#[derive(Debug)]
pub struct Stock;

impl Stock {
    /// Returns the stream of a SKU's stock.
    pub fn stream(sku: &Sku) -> StreamName {
        StreamName::new(Self::CATEGORY, sku.as_str())
    }
}

impl Decider for Stock {
    const CATEGORY: &'static str = "stock";
    type State = StockState;
    type Command = StockCommand;
    type Event = StockEvent;
    type Rejection = StockRejection;

    fn decide(
        state: &StockState,
        command: &StockCommand,
        context: &Context,
    ) -> Result<Vec<StockEvent>, StockRejection> {
        decide::decide(state, command, context.now)
    }

    fn evolve(state: StockState, event: &StockEvent) -> StockState {
        evolve::evolve(state, event)
    }

    fn command_id(stream: &StreamName, command: &StockCommand) -> Option<CommandId> {
        command::reservation_command_id(stream.id(), command)
    }

    fn parts(state: &StockState) -> usize {
        1 + state.open.len()
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
