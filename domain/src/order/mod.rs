//! An order, from its placement to the return of its last unit.
//!
//! Before an order has a final state, the checkout process controls it: the order only notes a cancellation
//! request, and the checkout carries it out. The checkout appends the order's final state last, after stock
//! and payment. Afterwards the order decides cancellations and returns itself, and the same event says which
//! goods and how much money to return.

pub mod command;
pub mod decide;
pub mod draft;
pub mod event;
pub mod evolve;
pub(crate) mod id;
pub mod rejection;
pub mod returns;
pub mod state;

pub use command::OrderCommand;
pub use event::{Draft, OrderEvent};
pub use rejection::OrderRejection;
pub use state::{OrderState, OrderStatus};

use souk_eventsourcing::{CommandId, Context, Decider, StreamName};

use crate::OrderId;

/// The aggregate: one order.
#[derive(Debug)]
pub struct Order;

impl Order {
    /// Returns the stream of an order.
    pub fn stream(order: OrderId) -> StreamName {
        StreamName::new(Self::CATEGORY, &order.to_string())
    }

    /// Returns the id of the command that places an order.
    ///
    /// The request that checks out a cart sends this command. The checkout sends it too if it reads
    /// `cart.checked-out` before the order is placed, for example after a crash. Both use the same id, so the
    /// order is placed once.
    pub fn place_command_id(order: OrderId) -> CommandId {
        CommandId(order.0).follow_up("place")
    }
}

impl Decider for Order {
    const CATEGORY: &'static str = "order";
    type State = OrderState;
    type Command = OrderCommand;
    type Event = OrderEvent;
    type Rejection = OrderRejection;

    fn decide(
        state: &OrderState,
        command: &OrderCommand,
        context: &Context,
    ) -> Result<Vec<OrderEvent>, OrderRejection> {
        decide::decide(state, command, context)
    }

    fn evolve(state: OrderState, event: &OrderEvent) -> OrderState {
        evolve::evolve(state, event)
    }

    fn command_id(stream: &StreamName, command: &OrderCommand) -> Option<CommandId> {
        let OrderCommand::Place(_) = command else { return None };
        stream.id().parse().ok().map(|order| Self::place_command_id(OrderId(order)))
    }

    fn parts(state: &OrderState) -> usize {
        1 + state.placed.as_ref().map_or(0, |placed| placed.lines.len())
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
