//! The checkout process: takes a placed order to its final state.
//!
//! The steps are: reserve every line → authorize the payment → confirm the reservations and capture the money
//! → confirm the order. After any failure the checkout waits for the answers to everything that it requested,
//! undoes what was done, and ends the order with the reason. The order's final state is always appended last,
//! after stock and payment.
//!
//! The checkout of an order from a cart begins with the cart's `checked-out` event, which holds the complete
//! order. If the request crashed before it placed the order, the checkout places it.

pub mod decide;
pub mod evolve;
pub mod fill_in;
pub mod input;
pub mod moves;
pub mod state;
pub mod step;
mod version_1;

pub use input::CheckoutEvent;
pub use moves::CheckoutMove;
pub use state::CheckoutState;
pub use step::CheckoutStep;

use jiff::Timestamp;
use souk_domain::AggregateCommand;
use souk_eventsourcing::process::{Decision, Incoming, Input, Process, RecordedOutput};
use souk_eventsourcing::{DecodeError, RecordedEvent};

use crate::provider_call::ProviderCall;

/// The checkout process; there is one instance per order.
#[derive(Debug)]
pub struct Checkout;

impl Process for Checkout {
    const NAME: &'static str = "checkout";
    const TRANSITION: &'static str = "checkout.transitioned";
    const VERSION: u32 = 2;
    type State = CheckoutState;
    type Event = CheckoutEvent;
    type Step = CheckoutStep;
    type Move = CheckoutMove;
    type Command = AggregateCommand;
    type Effect = ProviderCall;

    fn event_types() -> Vec<&'static str> {
        input::EVENT_TYPES.to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<Incoming<CheckoutEvent>>, DecodeError> {
        input::read(event)
    }

    fn decide(state: &CheckoutState, _: Timestamp) -> Option<Decision<CheckoutMove, CheckoutStep>> {
        decide::decide(state)
    }

    fn take_in(state: CheckoutState, input: &Input<CheckoutEvent, CheckoutStep>) -> CheckoutState {
        evolve::take_in(state, input)
    }

    fn enter(mut state: CheckoutState, made: &CheckoutMove) -> CheckoutState {
        made.enter(&mut state);
        state
    }

    fn enter_version_1(
        state: CheckoutState,
        inputs: &[Input<CheckoutEvent, CheckoutStep>],
        outputs: &mut [RecordedOutput],
    ) -> CheckoutState {
        version_1::enter(state, inputs, outputs)
    }

    fn is_ended(state: &CheckoutState) -> bool {
        state.is_ended()
    }

    fn command(state: &CheckoutState, step: &CheckoutStep) -> Option<AggregateCommand> {
        fill_in::command(state, *step)
    }

    fn effect(state: &CheckoutState, step: &CheckoutStep) -> Option<ProviderCall> {
        fill_in::effect(state, *step)
    }
}

#[cfg(test)]
mod tests;
