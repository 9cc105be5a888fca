//! Decides commands to a payment.

use souk_eventsourcing::Context;

use crate::money::Money;
use crate::personal_text::PersonalText;
use crate::{DebtId, OrderId, RefundId, VoidId};

use super::command::PaymentCommand;
use super::event::{
    Accepted, Authorized, Cancelled, CaptureFailed, Captured, DebtSettled, DebtWithdrawn, Failed,
    PaymentEvent, RefundDeferred, RefundDoubled, RefundFailed, RefundRequested, Refunded, Requested,
    VoidFailed, VoidRequested, Voided,
};
use super::evolve::apply;
use super::rejection::PaymentRejection;
use super::state::{PaymentState, PaymentStatus, Refund, RequestedPayment};

type Decision = Result<Vec<PaymentEvent>, PaymentRejection>;

/// Reason of a refund that retries a failed refund.
const RETRIED: &str = "retry of a failed refund";
/// Reason of a refund that waited until another refund was withdrawn.
const DEFERRED: &str = "refund of a cancellation or return, deferred until another refund was withdrawn";
/// Reason for withdrawing a debt because another try of its refund or void succeeded.
const OTHER_TRY_SUCCEEDED: &str = "another try succeeded";
/// Reason of the refund of an abandoned payment.
const ABANDONED: &str = "the payment was abandoned";

/// Returns the events of a command, or the reason why it is refused.
pub fn decide(state: &PaymentState, command: &PaymentCommand, context: &Context) -> Decision {
    let payment = match (&state.opened, command) {
        (None, PaymentCommand::Request { .. }) if state.is_closed => return Err(PaymentRejection::Closed),
        (None, PaymentCommand::Request { order, amount, token }) => {
            return Ok(vec![requested(*order, *amount, token, 1)]);
        }
        (None, PaymentCommand::Abandon { .. }) if state.is_closed => return Ok(Vec::new()),
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
            let is_current = payment.is_current_attempt(*attempt, Some(provider_payment_id));
            Ok(authorized(payment, provider_payment_id, is_current, *attempts, context))
        }
        PaymentCommand::RecordFailed { attempt, provider_payment_id, code, detail, attempts } => {
            let is_current = payment.is_failure_of_current_attempt(*attempt, provider_payment_id.as_deref());
            Ok(if is_current { failed(payment, code, detail, *attempts) } else { Vec::new() })
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
            let debt = open_debt(payment, *debt)?;
            Ok(vec![DebtSettled { order: payment.order, debt, reason: reason.clone() }.into()])
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

fn request_again(
    payment: &RequestedPayment,
    order: OrderId,
    amount: Money,
    token: &PersonalText,
) -> Decision {
    if payment.is_abandoned {
        return Err(PaymentRejection::Closed);
    }
    match payment.status {
        PaymentStatus::Failed => Ok(vec![requested(order, amount, token, payment.attempt + 1)]),
        PaymentStatus::Pending => Err(PaymentRejection::InProgress),
        _ => Err(PaymentRejection::AlreadyMade),
    }
}

fn accepted(payment: &RequestedPayment, attempt: u32, provider_payment_id: &str) -> Vec<PaymentEvent> {
    let is_answer_due = payment.status == PaymentStatus::Pending && payment.provider_payment_id.is_none();
    if !is_answer_due || attempt != payment.attempt {
        return Vec::new();
    }
    vec![Accepted { order: payment.order, provider_payment_id: provider_payment_id.to_owned() }.into()]
}

/// Records an authorization. A success counts even after a failure, because the provider's last report is the
/// true one. The hold is voided at once if the payment is abandoned, or if the success belongs to an earlier
/// attempt that was recorded as failed.
fn authorized(
    payment: &RequestedPayment,
    provider_payment_id: &str,
    is_current: bool,
    attempts: u32,
    context: &Context,
) -> Vec<PaymentEvent> {
    if payment.authorized.contains(provider_payment_id) {
        return Vec::new();
    }
    let provider_payment_id = provider_payment_id.to_owned();
    let counts =
        matches!(payment.status, PaymentStatus::Pending | PaymentStatus::Failed | PaymentStatus::Cancelled);
    if !counts || !is_current {
        return vec![void_requested(payment, provider_payment_id, context)];
    }
    let authorized = Authorized {
        order: payment.order,
        provider_payment_id: provider_payment_id.clone(),
        amount: payment.amount,
        attempts,
    };
    let mut events = vec![authorized.into()];
    if payment.is_abandoned {
        events.push(void_requested(payment, provider_payment_id, context));
    }
    events
}

fn void_requested(
    payment: &RequestedPayment,
    provider_payment_id: String,
    context: &Context,
) -> PaymentEvent {
    VoidRequested {
        order: payment.order,
        void: VoidId(context.derived_id("void")),
        provider_payment_id,
        amount: payment.amount,
        attempt: 1,
        retries: None,
    }
    .into()
}

/// Records a failure. It counts only while the provider owes an answer: a late failure changes nothing.
fn failed(payment: &RequestedPayment, code: &str, detail: &str, attempts: u32) -> Vec<PaymentEvent> {
    if !payment.is_answer_due {
        return Vec::new();
    }
    vec![Failed { order: payment.order, code: code.to_owned(), detail: detail.to_owned(), attempts }.into()]
}

/// Returns true if the provider holds the money of the payment that an answer names.
fn holds(payment: &RequestedPayment, provider_payment_id: &str) -> bool {
    payment.is_held && payment.provider_payment_id.as_deref() == Some(provider_payment_id)
}

fn captured(payment: &RequestedPayment, provider_payment_id: &str, context: &Context) -> Vec<PaymentEvent> {
    if !holds(payment, provider_payment_id) {
        return Vec::new();
    }
    let mut events = vec![Captured { order: payment.order, amount: payment.amount }.into()];
    if payment.is_abandoned {
        events.push(refund_abandoned(payment, payment.amount.amount, context));
    }
    events
}

fn capture_failed(
    payment: &RequestedPayment,
    provider_payment_id: &str,
    code: &str,
    detail: &str,
) -> Vec<PaymentEvent> {
    if !holds(payment, provider_payment_id) {
        return Vec::new();
    }
    vec![CaptureFailed { order: payment.order, code: code.to_owned(), detail: detail.to_owned() }.into()]
}

fn abandon(payment: &RequestedPayment, context: &Context) -> Vec<PaymentEvent> {
    if payment.is_abandoned {
        return Vec::new();
    }
    let order = payment.order;
    let mut events = vec![Cancelled { order }.into()];
    if payment.is_held {
        let provider_payment_id = payment.provider_payment_id.clone().unwrap_or_default();
        events.push(void_requested(payment, provider_payment_id, context));
    }
    let refund = RefundId(context.derived_id("refund"));
    events.extend(refund_or_defer(payment, refund, payment.not_refunded(), ABANDONED, context));
    events
}

/// Requests a refund of as much of an amount as is left, and defers the rest, which other refunds hold.
fn refund_or_defer(
    payment: &RequestedPayment,
    refund: RefundId,
    amount: i64,
    reason: &str,
    context: &Context,
) -> Vec<PaymentEvent> {
    let order = payment.order;
    let refundable = amount.min(payment.refundable());
    let deferred = Money::new(amount - refundable, payment.amount.currency);
    let request = (refundable > 0).then(|| refund_requested(payment, refund, refundable, reason, context));
    let rest = (deferred.amount > 0).then(|| RefundDeferred { order, refund, amount: deferred }.into());
    request.into_iter().chain(rest).collect()
}

fn refund_abandoned(payment: &RequestedPayment, amount: i64, context: &Context) -> PaymentEvent {
    refund_requested(payment, RefundId(context.derived_id("refund")), amount, ABANDONED, context)
}

fn refund_requested(
    payment: &RequestedPayment,
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

/// Records the release of a hold. A success counts even after a failure, and also ends the debt of any other
/// try to release the same hold.
fn voided(payment: &RequestedPayment, void: VoidId, context: &Context) -> Vec<PaymentEvent> {
    let Some(hold) = payment.voids.get(&void).or(payment.failed_voids.get(&void)) else { return Vec::new() };
    let mut events = vec![Voided { order: payment.order, void }.into()];
    if let Some(debt) = payment.debt_of_hold(&hold.provider_payment_id).filter(|debt| debt.0 != void.0) {
        withdraw(payment, &mut events, debt, OTHER_TRY_SUCCEEDED, context);
    }
    events
}

fn void_failed(
    payment: &RequestedPayment,
    void: VoidId,
    code: &str,
    detail: &str,
    context: &Context,
) -> Vec<PaymentEvent> {
    let Some(hold) = payment.voids.get(&void) else { return Vec::new() };
    let order = payment.order;
    let mut events =
        vec![VoidFailed { order, void, code: code.to_owned(), detail: detail.to_owned() }.into()];
    if payment.released_holds.contains(&hold.provider_payment_id) {
        withdraw(payment, &mut events, DebtId(void.0), OTHER_TRY_SUCCEEDED, context);
    }
    events
}

/// Returns the debt if it is open, otherwise a rejection.
fn open_debt(payment: &RequestedPayment, debt: DebtId) -> Result<DebtId, PaymentRejection> {
    if payment.debts.contains(&debt) { Ok(debt) } else { Err(PaymentRejection::NoDebt(debt)) }
}

/// Appends the withdrawal of a debt to `events`. A withdrawn refund no longer holds its amount, so the refund
/// that a cancellation or return had to defer is requested.
fn withdraw(
    payment: &RequestedPayment,
    events: &mut Vec<PaymentEvent>,
    debt: DebtId,
    reason: &str,
    context: &Context,
) {
    let mut after = payment.clone();
    for event in events.iter() {
        apply(&mut after, event);
    }
    events.push(DebtWithdrawn { order: payment.order, debt, reason: reason.to_owned() }.into());
    after.withdraw(debt);
    if after.due() > 0 {
        let refund = RefundId(context.derived_id("refund"));
        events.push(refund_requested(payment, refund, after.due(), DEFERRED, context));
    }
}

/// Retries a debt with a new refund or void, which takes over its amount.
fn retry_debt(payment: &RequestedPayment, debt: DebtId, context: &Context) -> Decision {
    open_debt(payment, debt)?;
    let failed_void = VoidId(debt.0);
    let failed_refund = RefundId(debt.0);
    if let Some(failed) = payment.failed_voids.get(&failed_void) {
        let requested = VoidRequested {
            order: payment.order,
            void: VoidId(context.derived_id("void")),
            provider_payment_id: failed.provider_payment_id.clone(),
            amount: payment.amount,
            attempt: failed.attempt + 1,
            retries: Some(failed_void),
        };
        return Ok(vec![requested.into()]);
    }
    let Some(failed) = payment.failed_refunds.get(&failed_refund) else {
        return Err(PaymentRejection::NoDebt(debt));
    };
    let left = payment.unallocated();
    if failed.amount > left {
        return Err(PaymentRejection::RefundExceedsPayment { requested: failed.amount, left });
    }
    let requested = RefundRequested {
        order: payment.order,
        refund: RefundId(context.derived_id("refund")),
        provider_payment_id: payment.provider_payment_id.clone().unwrap_or_default(),
        amount: Money::new(failed.amount, payment.amount.currency),
        reason: RETRIED.to_owned(),
        attempt: failed.attempt + 1,
        retries: Some(failed_refund),
        requested_at: Some(context.now),
    };
    Ok(vec![requested.into()])
}

fn request_refund(
    payment: &RequestedPayment,
    refund: RefundId,
    amount: Option<Money>,
    reason: &str,
    context: &Context,
) -> Decision {
    if payment.is_requested(refund) {
        return Ok(Vec::new());
    }
    let left = payment.refundable();
    let requested = match amount_of_refund(payment, amount)? {
        None if left == 0 => return Err(PaymentRejection::NothingLeft),
        None => left,
        Some(amount) => amount,
    };
    if requested > left {
        return Err(PaymentRejection::RefundExceedsPayment { requested, left });
    }
    Ok(vec![refund_requested(payment, refund, requested, reason, context)])
}

/// Requests the refund of a cancellation or return: its amount, or less if less is left.
fn request_capped_refund(
    payment: &RequestedPayment,
    refund: RefundId,
    amount: Option<Money>,
    reason: &str,
    context: &Context,
) -> Decision {
    if payment.is_requested(refund) {
        return Ok(Vec::new());
    }
    let amount_max = payment.not_refunded();
    let amount = amount_of_refund(payment, amount)?.map_or(amount_max, |amount| amount.min(amount_max));
    Ok(refund_or_defer(payment, refund, amount, reason, context))
}

/// Checks the amount of a refund, and returns it in minor units; `None` if everything that is left is
/// requested.
fn amount_of_refund(
    payment: &RequestedPayment,
    amount: Option<Money>,
) -> Result<Option<i64>, PaymentRejection> {
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

/// Records that the provider refunded the money at some try of the refund. The provider's last report is the
/// true one. If the buyer already had the money, it is recorded as refunded twice.
fn refunded(
    payment: &RequestedPayment,
    refund: RefundId,
    provider_refund_id: &str,
    context: &Context,
) -> Decision {
    if payment.completed_refunds.contains_key(&refund) {
        return Ok(Vec::new());
    }
    let known = payment.open_refunds.get(&refund).or(payment.failed_refunds.get(&refund));
    let Refund { amount, first, .. } = *known.ok_or(PaymentRejection::RefundNotFound(refund))?;
    let order = payment.order;
    let money = Money::new(amount, payment.amount.currency);
    let is_settled = payment.settled_refunds.contains_key(&refund);
    // Another try of the same refund may be in progress, and hold the same money.
    let other_tries =
        payment.open_refunds.iter().filter(|(id, other)| other.first == first && **id != refund);
    let held = other_tries.map(|(_, other)| other.amount).sum::<i64>();
    let is_open = payment.open_refunds.contains_key(&refund);
    let has_it_already = is_settled
        || payment.succeeded_refunds.contains(&first)
        || (!is_open && amount > payment.unallocated() + held);
    if has_it_already {
        return Ok(vec![RefundDoubled { order, refund, amount: money }.into()]);
    }
    let provider_refund_id = provider_refund_id.to_owned();
    let mut events = vec![Refunded { order, refund, amount: money, provider_refund_id }.into()];
    if let Some(debt) = payment.debt_of(first).filter(|debt| debt.0 != refund.0) {
        withdraw(payment, &mut events, debt, OTHER_TRY_SUCCEEDED, context);
    }
    Ok(events)
}

fn refund_failed(
    payment: &RequestedPayment,
    refund: RefundId,
    code: &str,
    detail: &str,
    context: &Context,
) -> Decision {
    if payment.completed_refunds.contains_key(&refund) || payment.failed_refunds.contains_key(&refund) {
        return Ok(Vec::new());
    }
    let Some(Refund { first, .. }) = payment.open_refunds.get(&refund) else {
        return Err(PaymentRejection::RefundNotFound(refund));
    };
    let order = payment.order;
    let mut events =
        vec![RefundFailed { order, refund, code: code.to_owned(), detail: detail.to_owned() }.into()];
    if payment.succeeded_refunds.contains(first) {
        withdraw(payment, &mut events, DebtId(refund.0), OTHER_TRY_SUCCEEDED, context);
    }
    Ok(events)
}
