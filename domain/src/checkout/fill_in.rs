//! What a checkout's steps stand for.

use jiff::SignedDuration;

use crate::cart::CartCommand;
use crate::limits::RESERVATION_GRACE_S;
use crate::names::PaymentId;
use crate::order::OrderCommand;
use crate::order::event::{Reason, ReasonCode};
use crate::payment::PaymentCommand;
use crate::provider::ProviderCall;
use crate::shop_command::ShopCommand;
use crate::stock::StockCommand;

use super::state::{CheckoutState, Payment, Terms};
use super::step::CheckoutStep;

/// The command of a step.
///
/// # Panics
/// Never for a step that `decide` returned: those come after the event that tells the terms.
pub fn command(state: &CheckoutState, step: &CheckoutStep) -> ShopCommand {
    let terms = terms(state);
    match step {
        CheckoutStep::Reserve(line) => {
            let expires_at = terms.pay_by.saturating_add(SignedDuration::from_secs(RESERVATION_GRACE_S));
            let expires_at = expires_at.unwrap_or(terms.pay_by);
            on_line(terms, *line, |order, quantity| StockCommand::Reserve { order, quantity, expires_at })
        }
        CheckoutStep::Confirm(line) => on_line(terms, *line, |order, _| StockCommand::Confirm { order }),
        CheckoutStep::Release(line) => on_line(terms, *line, |order, _| StockCommand::Release { order }),
        CheckoutStep::Restock(line) => {
            on_line(terms, *line, |order, quantity| StockCommand::Restock { order, quantity })
        }
        CheckoutStep::GiveBack => {
            let cart = terms.cart.expect("lines are given back only to the cart that they came from");
            let lines = state.cart_lines.to_vec();
            ShopCommand::Cart(cart, CartCommand::GiveBack { order: terms.order, lines })
        }
        CheckoutStep::RequestPayment => {
            let token = terms.token.clone().unwrap_or_default();
            let request = PaymentCommand::Request { order: terms.order, amount: terms.total, token };
            ShopCommand::Payment(PaymentId::of(terms.order), request)
        }
        CheckoutStep::AbandonPayment => ShopCommand::Payment(PaymentId::of(terms.order), PaymentCommand::Abandon),
        _ => ShopCommand::Order(terms.order, of_order(state, *step)),
    }
}

fn of_order(state: &CheckoutState, step: CheckoutStep) -> OrderCommand {
    match step {
        CheckoutStep::PlaceOrder => {
            let draft = state.draft.as_deref().expect("the draft is kept until it is placed");
            OrderCommand::Place(Box::new(draft.clone()))
        }
        CheckoutStep::AwaitPayment => OrderCommand::AwaitPayment,
        CheckoutStep::ConfirmOrder => OrderCommand::Confirm { paid_outside: state.payment != Payment::Captured },
        _ => {
            let unknown = || Reason { code: ReasonCode::CancelledByShop, detail: String::new() };
            let reason = state.reason.clone().unwrap_or_else(unknown);
            OrderCommand::Fail { reason, failed_skus: state.missing_skus() }
        }
    }
}

fn on_line(
    terms: &Terms,
    line: u32,
    command: impl FnOnce(crate::names::OrderRef, u32) -> StockCommand,
) -> ShopCommand {
    let (sku, quantity) = &terms.lines[line as usize];
    ShopCommand::Stock(sku.clone(), command(terms.order.into(), *quantity))
}

/// The provider call of a step.
///
/// # Panics
/// Never for a step that `decide` returned, as [`command`].
pub fn effect(state: &CheckoutState, step: &CheckoutStep) -> ProviderCall {
    let terms = terms(state);
    let (payment, amount) = (PaymentId::of(terms.order), terms.total);
    if *step == CheckoutStep::Capture {
        let provider_payment_id = state.provider_payment_id.clone().unwrap_or_default();
        return ProviderCall::Capture { payment, provider_payment_id, amount };
    }
    ProviderCall::Authorize { payment, amount, token: state.token.clone().unwrap_or_default() }
}

fn terms(state: &CheckoutState) -> &Terms {
    state.terms.as_deref().expect("steps are decided once the terms are known")
}
