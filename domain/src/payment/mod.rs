//! The payment of one order: a ledger of what the provider holds, took and gave back.
//!
//! The provider's answers come late, doubled and out of order; none of them is refused for that, and
//! none undoes another. Once nobody wants the payment any more ([`PaymentCommand::Abandon`]), whatever
//! is held is voided and whatever is taken is refunded, however late it turns up. What always holds:
//! refunds, done and asked for, never exceed what was captured ([`PaymentState::invariant`]).

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub mod rejection;
pub mod state;

pub use command::PaymentCommand;
pub use event::PaymentEvent;
pub use rejection::PaymentRejection;
pub use state::{MeantRefund, PaymentState, PaymentStatus};

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::names::PaymentId;

/// The aggregate.
#[derive(Debug)]
pub struct Payment;

impl Payment {
    /// The stream of a payment.
    pub fn stream(payment: PaymentId) -> StreamName {
        StreamName::new(Self::CATEGORY, &payment.to_string())
    }
}

impl Decider for Payment {
    const CATEGORY: &'static str = "payment";
    type State = PaymentState;
    type Command = PaymentCommand;
    type Event = PaymentEvent;
    type Rejection = PaymentRejection;

    fn decide(
        state: &PaymentState,
        command: &PaymentCommand,
        context: &Context,
    ) -> Result<Vec<PaymentEvent>, PaymentRejection> {
        decide::decide(state, command, context)
    }

    fn evolve(state: PaymentState, event: &PaymentEvent) -> PaymentState {
        evolve::evolve(state, event)
    }
}

#[cfg(test)]
mod tests;
