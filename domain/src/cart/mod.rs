//! A cart: what somebody may be about to buy, at the prices that were shown.
//!
//! A guest's cart is found by its token, a customer has one. Ordering takes all lines out in one event
//! that holds the whole order to be; when the order fails the lines come back, once. A merge first takes the lines
//! out of the one cart, by an event that names the other, and then puts them into that one, once however often it is
//! repeated: so two who merge one cart at once, or merge and order it, never get its units twice. It adds units and
//! takes the newer price. Events hold the units that were really
//! added, so that a plain sum over them is what the cart holds. What is put in is bounded and of one
//! currency, or refused; lines that come back are never refused, since they would be lost.

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod rejection;
pub mod state;

pub use command::CartCommand;
pub use decide::check_merge;
pub use event::CartEvent;
pub use rejection::CartRejection;
pub use state::{CartLineState, CartState};

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::names::CartId;

/// The aggregate.
#[derive(Debug)]
pub struct Cart;

impl Cart {
    /// The stream of a cart.
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
        let given: usize = state.given.iter().map(|given| given.lines.len()).sum();
        1 + state.lines.len() + merged + given
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
