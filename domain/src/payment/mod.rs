//! The payment of one order: a ledger of the money that the provider holds, captured and refunded.
//!
//! The provider's answers can arrive late, twice and out of order. None of them is refused for that reason,
//! and none reverts another. Once the payment is abandoned ([`PaymentCommand::Abandon`]), held money is
//! voided and captured money is refunded, however late the provider reports it.
//!
//! Invariant: the refunds, completed and requested, never exceed the captured amount
//! ([`PaymentState::invariant`]).

pub mod command;
pub mod decide;
pub mod event;
pub mod evolve;
pub(crate) mod id;
pub mod rejection;
pub mod state;

pub use command::PaymentCommand;
pub use event::PaymentEvent;
pub use rejection::PaymentRejection;
pub use state::{PaymentState, PaymentStatus, ReportedRefund};

use souk_eventsourcing::{Context, Decider, StreamName};

use crate::PaymentId;

/// The aggregate: the payment of one order.
#[derive(Debug)]
pub struct Payment;

impl Payment {
    /// Returns the stream of a payment.
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
mod properties;
#[cfg(test)]
mod tests;
