//! A cart: lines that a buyer may order, at the prices that the buyer was shown.
//!
//! A guest's cart is found by its token; each customer has one cart. A checkout takes all lines out of the
//! cart with one event that holds the complete order. If the order fails, the lines come back, once.
//!
//! A merge moves the lines of a guest's cart into a customer's cart. First the guest's cart gives its lines
//! away, with an event that names the customer's cart. Then the customer's cart takes them in, once, however
//! often the merge is repeated. So if two customers merge the same cart at the same time, or one merges it
//! and the other orders it, only one of them gets the units. A merge adds the units and uses the newer price.
//!
//! Events hold the units that were really added, so the units in a cart are a plain sum over its events.
//! Lines that a buyer adds must fit the limits and have one currency. Lines that come back are never refused,
//! because they would be lost.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub(crate) mod id;
pub mod rejection;
pub mod state;

pub use command::CartCommand;
pub use decide::check_merge;
pub use event::CartEvent;
pub use rejection::CartRejection;
pub use state::{CartLineState, CartState};

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::CartId;

/// The aggregate: one cart.
#[derive(Debug)]
pub struct Cart;

impl Cart {
    /// Returns the stream of a cart.
    pub fn stream(cart: CartId) -> StreamName {
        StreamName::new(Self::CATEGORY, &cart.to_string())
    }
}

impl Decider for Cart {
    const CATEGORY: &'static str = "cart";
    type State = CartState;
    type Command = CartCommand;
    type Event = CartEvent;
    type Rejection = CartRejection;

    fn decide(
        state: &CartState,
        command: &CartCommand,
        context: &Context,
    ) -> Result<Vec<CartEvent>, CartRejection> {
        decide::decide(state, command, context.now)
    }

    fn evolve(state: CartState, event: &CartEvent) -> CartState {
        evolve::evolve(state, event)
    }

    fn parts(state: &CartState) -> usize {
        let merged: usize = state.merged.iter().map(|merge| merge.units.len()).sum();
        let transferred: usize = state.transfers.iter().map(|transfer| transfer.lines.len()).sum();
        1 + state.lines.len() + merged + transferred
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
