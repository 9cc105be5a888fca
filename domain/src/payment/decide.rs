//! What becomes of a command to a payment.

use souk_eventsourcing::Context;

use crate::money::Money;
use crate::names::{DebtId, OrderId, RefundId, VoidId};
use crate::personal_text::PersonalText;

use super::command::PaymentCommand;
use super::event::{
    Accepted, Authorized, Cancelled, CaptureFailed, Captured, DebtSettled, DebtWithdrawn, Failed,
    PaymentEvent, RefundDeferred, RefundDoubled, RefundFailed, RefundRequested, Refunded, Requested,
    VoidFailed, VoidRequested, Voided,
};
use super::evolve::apply;
use super::rejection::PaymentRejection;
use super::state::{Opened, PaymentState, PaymentStatus, Refund};

type Decision = Result<Vec<PaymentEvent>, PaymentRejection>;

/// The reason given for a failed refund that is asked for again.
const RETRIED: &str = "a refund that failed is tried again";
/// The reason given for a refund that had to wait until another one was withdrawn.
const DEFERRED: &str = "the order was cancelled or goods came back, and another refund was withdrawn";
/// The reason why a debt is withdrawn whose refund or void an earlier or later try has done.
const DONE_BEFORE: &str = "the provider did it at another try";
/// Why an abandoned payment is given back.
const NOT_WANTED: &str = "nobody waits for this payment any more";

/// Decides a command.
pub fn decide(state: &PaymentState, command: &PaymentCommand, context: &Context) -> Decision {
    let payment = match (&state.opened, command) {
        (None, PaymentCommand::Request { .. }) if state.closed => return Err(PaymentRejection::Closed),
        (None, PaymentCommand::Request { order, amount, token }) => {
            return Ok(vec![requested(*order, *amount, token, 1)]);
        }
        (None, PaymentCommand::Abandon { .. }) if state.closed => return Ok(Vec::new()),
        (None, PaymentCommand::Abandon { order }) => return Ok(vec![Cancelled { order: *order }.into()]),
        (None, _) => return Err(PaymentRejection::NotFound),
        (Some(payment), _) => payment,
    };
    match command {
        PaymentCommand::Request { order, amount, token } => request_again(payment, *order, *amount, token),
        PaymentCommand::RecordAccepted { attempt, provider_payment_id } => {
            Ok(accepted(payment, *attempt, provider_payment_id))
        }
        PaymentCommand::RecordAuthorized { attempt, provider_payment_id, attempts } => {
            let is_present = payment.is_present(*attempt, Some(provider_payment_id));
            Ok(authorized(payment, provider_payment_id, is_present, *attempts, context))
        }
        PaymentCommand::RecordFailed { attempt, provider_payment_id, code, detail, attempts } => {
            let is_present = payment.is_failure_of_present(*attempt, provider_payment_id.as_deref());
            Ok(if is_present { failed(payment, code, detail, *attempts) } else { Vec::new() })
        }
        PaymentCommand::RecordCaptured { provider_payment_id } => {
            Ok(captured(payment, provider_payment_id, context))
        }
        PaymentCommand::RecordCaptureFailed { provider_payment_id, code, detail } => {
            Ok(capture_failed(payment, provider_payment_id, code, detail))
        }
        PaymentCommand::Abandon { .. } => Ok(abandon(payment, context)),
        PaymentCommand::RecordVoided { void } => Ok(voided(payment, *void, context)),
        PaymentCommand::RecordVoidFailed { void, code, detail } => {
            Ok(void_failed(payment, *void, code, detail, context))
        }
        PaymentCommand::RetryDebt { debt } => retry_debt(payment, *debt, context),
        PaymentCommand::SettleDebt { debt, reason } => {
            let (order, debt, reason) = (payment.order, open_debt(payment, *debt)?, reason.clone());
            Ok(vec![DebtSettled { order, debt, reason }.into()])
        }
        PaymentCommand::WithdrawDebt { debt, reason } => {
            let debt = open_debt(payment, *debt)?;
            let mut events = Vec::new();
            withdraw(payment, &mut events, debt, reason, context);
            Ok(events)
        }
        PaymentCommand::Refund { refund, amount, capped: true, reason } => {
            request_capped_refund(payment, *refund, *amount, reason, context)
        }
        PaymentCommand::Refund { refund, amount, capped: false, reason } => {
            request_refund(payment, *refund, *amount, reason, context)
        }
        PaymentCommand::RecordRefunded { refund, provider_refund_id } => {
            refunded(payment, *refund, provider_refund_id, context)
        }
        PaymentCommand::RecordRefundFailed { refund, code, detail } => {
            refund_failed(payment, *refund, code, detail, context)
        }
    }
}

fn requested(order: OrderId, amount: Money, token: &PersonalText, attempt: u32) -> PaymentEvent {
    Requested { order, amount, token: token.clone(), attempt }.into()
}

fn request_again(payment: &Opened, order: OrderId, amount: Money, token: &PersonalText) -> Decision {
    if payment.abandoned {
        return Err(PaymentRejection::Closed);
    }
    match payment.status {
        PaymentStatus::Failed => Ok(vec![requested(order, amount, token, payment.attempt + 1)]),
        PaymentStatus::Pending => Err(PaymentRejection::InProgress),
        _ => Err(PaymentRejection::AlreadyMade),
    }
}

fn accepted(payment: &Opened, attempt: u32, provider_payment_id: &str) -> Vec<PaymentEvent> {
    let is_awaited = payment.status == PaymentStatus::Pending && payment.provider_payment_id.is_none();
    if !is_awaited || attempt != payment.attempt {
        return Vec::new();
    }
    vec![Accepted { order: payment.order, provider_payment_id: provider_payment_id.to_owned() }.into()]
}

/// A success counts even after a failure: the provider says last what it did. One that nobody waits for
/// is voided at once, and so is a success of an earlier attempt that was thought to have failed.
fn authorized(
    payment: &Opened,
    provider_payment_id: &str,
    is_present: bool,
    attempts: u32,
    context: &Context,
) -> Vec<PaymentEvent> {
    if payment.authorized.contains(provider_payment_id) {
        return Vec::new();
    }
    let provider_payment_id = provider_payment_id.to_owned();
    let counts =
        matches!(payment.status, PaymentStatus::Pending | PaymentStatus::Failed | PaymentStatus::Cancelled);
    if !counts || !is_present {
        return vec![void_requested(payment, provider_payment_id, context)];
    }
    let (order, amount) = (payment.order, payment.amount);
    let mut events =
        vec![Authorized { order, provider_payment_id: provider_payment_id.clone(), amount, attempts }.into()];
    if payment.abandoned {
        events.push(void_requested(payment, provider_payment_id, context));
    }
    events
}

fn void_requested(payment: &Opened, provider_payment_id: String, context: &Context) -> PaymentEvent {
    let (order, amount, void) = (payment.order, payment.amount, VoidId(context.creates("void")));
    VoidRequested { order, void, provider_payment_id, amount, attempt: 1, retries: None }.into()
}

/// A failure counts only while an answer is owed: a late one undoes nothing.
fn failed(payment: &Opened, code: &str, detail: &str, attempts: u32) -> Vec<PaymentEvent> {
    if !payment.awaited {
        return Vec::new();
    }
    vec![Failed { order: payment.order, code: code.to_owned(), detail: detail.to_owned(), attempts }.into()]
}

/// Returns true if the provider holds the money of the payment that an answer names.
fn holds(payment: &Opened, provider_payment_id: &str) -> bool {
    payment.held && payment.provider_payment_id.as_deref() == Some(provider_payment_id)
}

fn captured(payment: &Opened, provider_payment_id: &str, context: &Context) -> Vec<PaymentEvent> {
    if !holds(payment, provider_payment_id) {
        return Vec::new();
    }
    let mut events = vec![Captured { order: payment.order, amount: payment.amount }.into()];
    if payment.abandoned {
        events.push(give_all_back(payment, payment.amount.amount, context));
    }
    events
}

fn capture_failed(
    payment: &Opened,
    provider_payment_id: &str,
    code: &str,
    detail: &str,
) -> Vec<PaymentEvent> {
    if !holds(payment, provider_payment_id) {
        return Vec::new();
    }
    vec![CaptureFailed { order: payment.order, code: code.to_owned(), detail: detail.to_owned() }.into()]
}

fn abandon(payment: &Opened, context: &Context) -> Vec<PaymentEvent> {
    if payment.abandoned {
        return Vec::new();
    }
    let order = payment.order;
    let mut events = vec![Cancelled { order }.into()];
    if payment.held {
        let provider_payment_id = payment.provider_payment_id.clone().unwrap_or_default();
        events.push(void_requested(payment, provider_payment_id, context));
    }
    let refund = RefundId(context.creates("refund"));
    events.extend(give_back(payment, refund, payment.not_given_back(), NOT_WANTED, context));
    events
}

/// Asks for what is left of an amount, and defers the rest, which other refunds hold.
fn give_back(
    payment: &Opened,
    refund: RefundId,
    amount: i64,
    reason: &str,
    context: &Context,
) -> Vec<PaymentEvent> {
    let order = payment.order;
    let asked = amount.min(payment.left());
    let deferred = Money::new(amount - asked, payment.amount.currency);
    let request = (asked > 0).then(|| refund_requested(payment, refund, asked, reason, context));
    let rest = (deferred.amount > 0).then(|| RefundDeferred { order, refund, amount: deferred }.into());
    request.into_iter().chain(rest).collect()
}

fn give_all_back(payment: &Opened, amount: i64, context: &Context) -> PaymentEvent {
    refund_requested(payment, RefundId(context.creates("refund")), amount, NOT_WANTED, context)
}

fn refund_requested(
    payment: &Opened,
    refund: RefundId,
    amount: i64,
    reason: &str,
    context: &Context,
) -> PaymentEvent {
    RefundRequested {
        order: payment.order,
        refund,
        provider_payment_id: payment.provider_payment_id.clone().unwrap_or_default(),
        amount: Money::new(amount, payment.amount.currency),
        reason: reason.to_owned(),
        attempt: 1,
        retries: None,
        requested_at: Some(context.now),
    }
    .into()
}

/// A success counts even after a failure. It is one of every try to let the same hold go.
fn voided(payment: &Opened, void: VoidId, context: &Context) -> Vec<PaymentEvent> {
    let Some(hold) = payment.voids.get(&void).or(payment.failed_voids.get(&void)) else { return Vec::new() };
    let mut events = vec![Voided { order: payment.order, void }.into()];
    if let Some(debt) = payment.debt_of_hold(&hold.provider_payment_id).filter(|debt| debt.0 != void.0) {
        withdraw(payment, &mut events, debt, DONE_BEFORE, context);
    }
    events
}

fn void_failed(
    payment: &Opened,
    void: VoidId,
    code: &str,
    detail: &str,
    context: &Context,
) -> Vec<PaymentEvent> {
    let Some(hold) = payment.voids.get(&void) else { return Vec::new() };
    let (order, code, detail) = (payment.order, code.to_owned(), detail.to_owned());
    let mut events = vec![VoidFailed { order, void, code, detail }.into()];
    if payment.let_go.contains(&hold.provider_payment_id) {
        withdraw(payment, &mut events, DebtId(void.0), DONE_BEFORE, context);
    }
    events
}

/// The debt, if nobody has seen to it.
fn open_debt(payment: &Opened, debt: DebtId) -> Result<DebtId, PaymentRejection> {
    if payment.debts.contains(&debt) { Ok(debt) } else { Err(PaymentRejection::NoDebt(debt)) }
}

/// A debt that is withdrawn no longer holds its amount: what a cancellation or return had to defer is asked for.
/// `events` come before.
fn withdraw(payment: &Opened, events: &mut Vec<PaymentEvent>, debt: DebtId, reason: &str, context: &Context) {
    let mut after = payment.clone();
    for event in events.iter() {
        apply(&mut after, event);
    }
    events.push(DebtWithdrawn { order: payment.order, debt, reason: reason.to_owned() }.into());
    after.withdraw(debt);
    if after.due() > 0 {
        let refund = RefundId(context.creates("refund"));
        events.push(refund_requested(payment, refund, after.due(), DEFERRED, context));
    }
}

/// A debt is tried again as a refund or void of its own, which takes its amount over.
fn retry_debt(payment: &Opened, debt: DebtId, context: &Context) -> Decision {
    open_debt(payment, debt)?;
    let (failed_void, failed_refund) = (VoidId(debt.0), RefundId(debt.0));
    if let Some(failed) = payment.failed_voids.get(&failed_void) {
        let requested = VoidRequested {
            order: payment.order,
            void: VoidId(context.creates("void")),
            provider_payment_id: failed.provider_payment_id.clone(),
            amount: payment.amount,
            attempt: failed.attempt + 1,
            retries: Some(failed_void),
        };
        return Ok(vec![requested.into()]);
    }
    let Some(Refund { amount: asked, attempt, .. }) = payment.failed.get(&failed_refund).copied() else {
        return Err(PaymentRejection::NoDebt(debt));
    };
    let left = payment.not_given();
    if asked > left {
        return Err(PaymentRejection::RefundExceedsPayment { asked, left });
    }
    let requested = RefundRequested {
        order: payment.order,
        refund: RefundId(context.creates("refund")),
        provider_payment_id: payment.provider_payment_id.clone().unwrap_or_default(),
        amount: Money::new(asked, payment.amount.currency),
        reason: RETRIED.to_owned(),
        attempt: attempt + 1,
        retries: Some(failed_refund),
        requested_at: Some(context.now),
    };
    Ok(vec![requested.into()])
}

fn request_refund(
    payment: &Opened,
    refund: RefundId,
    amount: Option<Money>,
    reason: &str,
    context: &Context,
) -> Decision {
    if payment.is_requested(refund) {
        return Ok(Vec::new());
    }
    let left = payment.left();
    let asked = match amount_of_refund(payment, amount)? {
        None if left == 0 => return Err(PaymentRejection::NothingLeft),
        None => left,
        Some(amount) => amount,
    };
    if asked > left {
        return Err(PaymentRejection::RefundExceedsPayment { asked, left });
    }
    Ok(vec![refund_requested(payment, refund, asked, reason, context)])
}

/// A cancellation or return gives back as much of its amount as the shop still keeps.
fn request_capped_refund(
    payment: &Opened,
    refund: RefundId,
    amount: Option<Money>,
    reason: &str,
    context: &Context,
) -> Decision {
    if payment.is_requested(refund) {
        return Ok(Vec::new());
    }
    let most = payment.not_given_back();
    let amount = amount_of_refund(payment, amount)?.map_or(most, |amount| amount.min(most));
    Ok(give_back(payment, refund, amount, reason, context))
}

/// The amount of a refund in minor units, checked; none asks for all that is left.
fn amount_of_refund(payment: &Opened, amount: Option<Money>) -> Result<Option<i64>, PaymentRejection> {
    if payment.captured == 0 {
        return Err(PaymentRejection::NotCaptured);
    }
    match amount {
        None => Ok(None),
        Some(amount) if amount.currency != payment.amount.currency => Err(PaymentRejection::CurrencyMismatch),
        Some(amount) if amount.amount < 1 => Err(PaymentRejection::InvalidAmount),
        Some(amount) => Ok(Some(amount.amount)),
    }
}

/// Records that the provider gave the money back, at whichever try of the refund. The provider says last what it
/// did; when the buyer had the money already, they have it twice.
fn refunded(payment: &Opened, refund: RefundId, provider_refund_id: &str, context: &Context) -> Decision {
    if payment.done.contains_key(&refund) {
        return Ok(Vec::new());
    }
    let known = payment.asked.get(&refund).or(payment.failed.get(&refund));
    let Refund { amount, first, .. } = *known.ok_or(PaymentRejection::RefundNotFound(refund))?;
    let order = payment.order;
    let money = Money::new(amount, payment.amount.currency);
    let is_settled = payment.settled.contains_key(&refund);
    // Another try may be under way: it holds the same money.
    let other_tries = payment.asked.iter().filter(|(id, of)| of.first == first && **id != refund);
    let held = other_tries.map(|(_, of)| of.amount).sum::<i64>();
    let is_asked = payment.asked.contains_key(&refund);
    let has_it_already =
        is_settled || payment.given.contains(&first) || (!is_asked && amount > payment.not_given() + held);
    if has_it_already {
        return Ok(vec![RefundDoubled { order, refund, amount: money }.into()]);
    }
    let provider_refund_id = provider_refund_id.to_owned();
    let mut events = vec![Refunded { order, refund, amount: money, provider_refund_id }.into()];
    if let Some(debt) = payment.debt_of(first).filter(|debt| debt.0 != refund.0) {
        withdraw(payment, &mut events, debt, DONE_BEFORE, context);
    }
    Ok(events)
}

fn refund_failed(
    payment: &Opened,
    refund: RefundId,
    code: &str,
    detail: &str,
    context: &Context,
) -> Decision {
    if payment.done.contains_key(&refund) || payment.failed.contains_key(&refund) {
        return Ok(Vec::new());
    }
    let Some(Refund { first, .. }) = payment.asked.get(&refund) else {
        return Err(PaymentRejection::RefundNotFound(refund));
    };
    let (order, code, detail) = (payment.order, code.to_owned(), detail.to_owned());
    let mut events = vec![RefundFailed { order, refund, code, detail }.into()];
    if payment.given.contains(first) {
        withdraw(payment, &mut events, DebtId(refund.0), DONE_BEFORE, context);
    }
    Ok(events)
}
