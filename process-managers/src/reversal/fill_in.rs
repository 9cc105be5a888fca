//! The commands that a reversal's steps stand for.

use crate::shop_command::ShopCommand;
use souk_domain::names::{OrderRef, PaymentId, RefundId};
use souk_domain::payment::PaymentCommand;
use souk_domain::stock::StockCommand;

use super::state::ReversalState;
use super::step::ReversalStep;

/// Why the payment gives money back.
const REASON: &str = "the order was cancelled or goods came back";

/// The command of a step. The refund's id is the reversal's: one reversal is one refund.
pub fn command(state: &ReversalState, step: ReversalStep) -> Option<ShopCommand> {
    let (order, reversal) = state.begun.as_ref()?;
    match step {
        ReversalStep::Refund => {
            let (refund, reason) = (RefundId(reversal.id.0), REASON.to_owned());
            let command = PaymentCommand::Refund { refund, amount: reversal.refund, capped: true, reason };
            Some(ShopCommand::Payment(PaymentId::of(*order), command))
        }
        ReversalStep::Restock(line) => {
            let line = reversal.lines.get(usize::try_from(line).ok()?)?;
            let (order, quantity) = (OrderRef::from(*order), line.quantity);
            Some(ShopCommand::Stock(line.sku.clone(), StockCommand::Restock { order, quantity }))
        }
    }
}
