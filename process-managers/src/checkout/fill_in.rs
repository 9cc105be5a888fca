//! Builds the commands and provider calls that the steps of a checkout stand for.

use jiff::SignedDuration;

use crate::provider_call::{Authorization, ProviderCall};
use souk_domain::AggregateCommand;
use souk_domain::cart::{Cart, CartCommand};
use souk_domain::limits::RESERVATION_GRACE_S;
use souk_domain::order::{Order, OrderCommand};
use souk_domain::payment::{self, PaymentCommand};
use souk_domain::stock::{Stock, StockCommand};
use souk_domain::{OrderRef, PaymentId};

use super::state::{CheckoutState, Payment, Terms};
use super::step::CheckoutStep;

/// Returns the command of a step; `None` for an effect, a timer, or a line that does not exist.
pub fn command(state: &CheckoutState, step: CheckoutStep) -> Option<AggregateCommand> {
    let terms = state.terms.as_deref()?;
    match step {
        CheckoutStep::Reserve(line) => {
            let expires_at = terms.pay_by.saturating_add(SignedDuration::from_secs(RESERVATION_GRACE_S));
            let expires_at = expires_at.unwrap_or(terms.pay_by);
            stock_command(terms, line, |order, quantity| StockCommand::Reserve {
                order,
                quantity,
                expires_at,
            })
        }
        CheckoutStep::Confirm(line) => stock_command(terms, line, |order, _| StockCommand::Confirm { order }),
        CheckoutStep::Release(line) => stock_command(terms, line, |order, _| StockCommand::Release { order }),
        CheckoutStep::Restock(line) => {
            stock_command(terms, line, |order, quantity| StockCommand::Restock { order, quantity })
        }
        CheckoutStep::GiveBack => {
            let give_back = CartCommand::GiveBack { order: terms.order, lines: state.cart_lines.to_vec() };
            terms.cart.map(|cart| AggregateCommand::Cart(Cart::stream(cart), give_back))
        }
        CheckoutStep::RequestPayment => {
            let token = terms.token.clone()?;
            let request = PaymentCommand::Request { order: terms.order, amount: terms.total, token };
            Some(to_payment(terms, request))
        }
        CheckoutStep::AbandonPayment => {
            Some(to_payment(terms, PaymentCommand::Abandon { order: terms.order }))
        }
        _ => Some(AggregateCommand::Order(Order::stream(terms.order), order_command(state, step)?)),
    }
}

fn to_payment(terms: &Terms, command: PaymentCommand) -> AggregateCommand {
    AggregateCommand::Payment(payment::Payment::stream(PaymentId::of(terms.order)), command)
}

fn order_command(state: &CheckoutState, step: CheckoutStep) -> Option<OrderCommand> {
    Some(match step {
        CheckoutStep::PlaceOrder => OrderCommand::Place(Box::new(state.draft.as_deref()?.clone())),
        CheckoutStep::AwaitPayment => OrderCommand::AwaitPayment,
        CheckoutStep::ConfirmOrder => {
            let paid_outside = state.payment != Payment::Captured && !state.is_free();
            OrderCommand::Confirm { paid_outside }
        }
        CheckoutStep::FailOrder => {
            OrderCommand::Fail { reason: state.reason.clone()?, failed_skus: state.missing_skus() }
        }
        _ => return None,
    })
}

fn stock_command(
    terms: &Terms,
    line: u32,
    command: impl FnOnce(OrderRef, u32) -> StockCommand,
) -> Option<AggregateCommand> {
    let (sku, quantity) = terms.lines.get(usize::try_from(line).ok()?)?;
    Some(AggregateCommand::Stock(Stock::stream(sku), command(terms.order.into(), *quantity)))
}

/// Returns the provider call of a step; `None` for a command or a timer.
pub fn effect(state: &CheckoutState, step: CheckoutStep) -> Option<ProviderCall> {
    let terms = state.terms.as_deref()?;
    let payment = PaymentId::of(terms.order);
    let amount = terms.total;
    match step {
        CheckoutStep::Authorize(attempt) => {
            let token = state.tokens.get(&attempt)?.clone();
            Some(ProviderCall::Authorize(Authorization { payment, attempt, amount, token }))
        }
        CheckoutStep::Capture => {
            let provider_payment_id = state.provider_payment_id.clone()?;
            Some(ProviderCall::Capture { payment, provider_payment_id, amount })
        }
        _ => None,
    }
}
