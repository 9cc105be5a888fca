//! Builds the commands that the steps of a reversal stand for.

use souk_domain::AggregateCommand;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::stock::{Stock, StockCommand};
use souk_domain::{OrderRef, PaymentId, RefundId};

use super::state::ReversalState;
use super::step::ReversalStep;

/// Reason that the payment records for the refund.
const REASON: &str = "the order was cancelled or goods were returned";

/// Returns the command of a step. The refund has the id of the reversal, since a reversal makes one refund.
pub fn command(state: &ReversalState, step: ReversalStep) -> Option<AggregateCommand> {
    let (order, reversal) = state.begun.as_ref()?;
    match step {
        ReversalStep::Refund => {
            let refund = RefundId(reversal.id.0);
            let reason = REASON.to_owned();
            let command = PaymentCommand::Refund { refund, amount: reversal.refund, capped: true, reason };
            Some(AggregateCommand::Payment(Payment::stream(PaymentId::of(*order)), command))
        }
        ReversalStep::Restock(line) => {
            let line = reversal.lines.get(usize::try_from(line).ok()?)?;
            let restock = StockCommand::Restock { order: OrderRef::from(*order), quantity: line.quantity };
            Some(AggregateCommand::Stock(Stock::stream(&line.sku), restock))
        }
    }
}
