use souk_eventsourcing::Rejection as _;
use souk_eventsourcing::testkit::{context, fold, given, noon};
use uuid::Uuid;

use super::event::{
    Accepted, Authorized, Cancelled, Captured, DebtSettled, DebtWithdrawn, Failed, RefundDeferred,
    RefundDoubled, RefundFailed, RefundRequested, Refunded, Requested, VoidFailed, VoidRequested, Voided,
};
use super::*;
use crate::money::{Currency, Money};
use crate::{DebtId, OrderId, RefundId, VoidId};

mod debts;

pub(super) const ORDER: OrderId = OrderId(Uuid::from_u128(1));
const REFUND: RefundId = RefundId(Uuid::from_u128(2));

pub(super) fn pounds(amount: i64) -> Money {
    Money::new(amount * 100, Currency::GBP)
}

pub(super) fn request(token: &str) -> PaymentCommand {
    PaymentCommand::Request { order: ORDER, amount: pounds(10), token: token.into() }
}

fn requested(attempt: u32) -> PaymentEvent {
    Requested { order: ORDER, amount: pounds(10), token: "tok_ok".into(), attempt }.into()
}

pub(super) fn record_authorized() -> PaymentCommand {
    record_authorized_of(1, "p")
}

pub(super) fn record_authorized_of(attempt: u32, provider_payment_id: &str) -> PaymentCommand {
    let provider_payment_id = provider_payment_id.to_owned();
    PaymentCommand::RecordAuthorized { attempt, provider_payment_id, attempts: 1 }
}

pub(super) fn record_captured() -> PaymentCommand {
    PaymentCommand::RecordCaptured { provider_payment_id: "p".into() }
}

fn authorized() -> PaymentEvent {
    Authorized { order: ORDER, provider_payment_id: "p".into(), amount: pounds(10), attempts: 1 }.into()
}

fn void_requested() -> PaymentEvent {
    void_requested_of("p")
}

fn void_requested_of(provider_payment_id: &str) -> PaymentEvent {
    VoidRequested {
        order: ORDER,
        void: void_id(),
        provider_payment_id: provider_payment_id.to_owned(),
        amount: pounds(10),
        attempt: 1,
        retries: None,
    }
    .into()
}

fn void_id() -> VoidId {
    VoidId(context(1, noon()).derived_id("void"))
}

pub(super) fn record_failed() -> PaymentCommand {
    record_failed_of(1, None)
}

pub(super) fn record_failed_of(attempt: u32, provider_payment_id: Option<&str>) -> PaymentCommand {
    let provider_payment_id = provider_payment_id.map(str::to_owned);
    PaymentCommand::RecordFailed {
        attempt,
        provider_payment_id,
        code: "no".into(),
        detail: "declined".into(),
        attempts: 1,
    }
}

fn failed() -> PaymentEvent {
    Failed { order: ORDER, code: "no".into(), detail: "declined".into(), attempts: 1 }.into()
}

fn captured() -> PaymentEvent {
    Captured { order: ORDER, amount: pounds(10) }.into()
}

fn cancelled() -> PaymentEvent {
    Cancelled { order: ORDER }.into()
}

fn refund(amount: Option<Money>) -> PaymentCommand {
    PaymentCommand::Refund { refund: REFUND, amount, capped: false, reason: "broken".into() }
}

fn refund_requested(amount: Money) -> PaymentEvent {
    RefundRequested {
        order: ORDER,
        refund: REFUND,
        provider_payment_id: "p".into(),
        amount,
        reason: "broken".into(),
        attempt: 1,
        retries: None,
        requested_at: Some(noon()),
    }
    .into()
}

// Proves: payments.another-attempt
#[test]
fn another_attempt_is_allowed_only_after_a_decline() {
    given::<Payment>(&[]).when(&request("tok_ok")).then(&[requested(1)]);
    given::<Payment>(&[requested(1)]).when(&request("tok_ok")).then_refused("payment-in-progress");
    given::<Payment>(&[requested(1), failed()]).when(&request("tok_ok")).then(&[requested(2)]);
    given::<Payment>(&[requested(1), authorized()])
        .when(&request("tok_ok"))
        .then_refused("payment-already-made");
    let closed = [requested(1), failed(), cancelled()];
    given::<Payment>(&closed).when(&request("tok_ok")).then_refused("payment-closed");
}

// Proves: payments.answers-count-once
#[test]
fn repeated_and_late_answers_change_nothing() {
    given::<Payment>(&[requested(1), authorized()]).when(&record_authorized()).then_nothing();
    given::<Payment>(&[requested(1), authorized()]).when(&record_failed()).then_nothing();
    given::<Payment>(&[requested(1), authorized(), captured()]).when(&record_authorized()).then_nothing();
    given::<Payment>(&[requested(1), authorized(), captured()]).when(&record_captured()).then_nothing();
}

#[test]
fn an_authorization_after_a_failure_is_recorded() {
    given::<Payment>(&[requested(1), failed()]).when(&record_authorized()).then(&[authorized()]);
}

// Proves: orders.timeout
// Proves: payments.abandoned-payment
#[test]
fn an_authorization_of_an_abandoned_payment_is_voided() {
    let late = [authorized(), void_requested()];
    given::<Payment>(&[requested(1), cancelled()]).when(&record_authorized()).then(&late);
    given::<Payment>(&[requested(1), failed(), cancelled()]).when(&record_authorized()).then(&late);
    let abandon = PaymentCommand::Abandon { order: ORDER };
    given::<Payment>(&[requested(1), authorized()]).when(&abandon).then(&[cancelled(), void_requested()]);
    given::<Payment>(&[requested(1)]).when(&abandon).then(&[cancelled()]);
}

#[test]
fn a_payment_abandoned_before_its_request_can_not_be_requested() {
    let abandon = PaymentCommand::Abandon { order: ORDER };
    given::<Payment>(&[]).when(&abandon).then(&[cancelled()]);
    given::<Payment>(&[cancelled()]).when(&abandon).then_nothing();
    given::<Payment>(&[cancelled()]).when(&request("tok_ok")).then_refused("payment-closed");
    assert_eq!(fold::<Payment>(&[cancelled()]).status(), None);
}

#[test]
fn a_failure_after_the_payment_was_abandoned_leaves_it_cancelled() {
    let history = [requested(1), cancelled(), failed()];
    given::<Payment>(&history[..2]).when(&record_failed()).then(&history[2..]);
    assert_eq!(fold::<Payment>(&history).status(), Some(PaymentStatus::Cancelled));
}

// Proves: payments.earlier-attempts
#[test]
fn a_late_hold_of_a_failed_attempt_is_voided_and_the_current_hold_stays() {
    let late = record_authorized_of(1, "late");
    let history = [requested(1), failed(), requested(2), authorized()];
    let late_void = void_requested_of("late");
    given::<Payment>(&history).when(&late).then(std::slice::from_ref(&late_void));
    let voided: PaymentEvent = Voided { order: ORDER, void: void_id() }.into();
    let history: Vec<_> = history.into_iter().chain([late_void, voided]).collect();
    given::<Payment>(&history).when(&late).then_nothing();
    assert!(fold::<Payment>(&history).is_held());
}

// Proves: payments.earlier-attempts
#[test]
fn a_late_failure_of_an_earlier_attempt_does_not_fail_the_current_one() {
    let history = [requested(1), failed(), requested(2)];
    given::<Payment>(&history).when(&record_failed_of(1, None)).then_nothing();
    given::<Payment>(&history).when(&record_failed_of(1, Some("p"))).then_nothing();
    given::<Payment>(&history).when(&record_failed_of(2, None)).then(&[failed()]);
}

#[test]
fn a_late_success_of_an_earlier_attempt_is_voided_and_the_current_one_continues() {
    let history = [requested(1), failed(), requested(2)];
    let first_void = void_requested_of("first");
    given::<Payment>(&history)
        .when(&record_authorized_of(1, "first"))
        .then(std::slice::from_ref(&first_void));
    let history: Vec<_> = history.into_iter().chain([first_void]).collect();
    given::<Payment>(&history).when(&record_authorized_of(2, "p")).then(&[authorized()]);
    let accepted = PaymentCommand::RecordAccepted { attempt: 1, provider_payment_id: "first".into() };
    given::<Payment>(&history).when(&accepted).then_nothing();
}

/// In older logs the provider used one id for all attempts of a payment.
#[test]
fn an_answer_with_the_current_provider_id_belongs_to_the_current_attempt() {
    let accepted = Accepted { order: ORDER, provider_payment_id: "p".into() }.into();
    let history = [requested(1), failed(), requested(2), accepted];
    given::<Payment>(&history).when(&record_authorized_of(1, "p")).then(&[authorized()]);
    given::<Payment>(&history).when(&record_failed_of(1, Some("p"))).then(&[failed()]);
}

#[test]
fn a_capture_with_another_provider_id_changes_nothing() {
    let history = [requested(1), authorized()];
    let other = PaymentCommand::RecordCaptured { provider_payment_id: "other".into() };
    given::<Payment>(&history).when(&other).then_nothing();
    given::<Payment>(&history).when(&record_captured()).then(&[captured()]);
}

#[test]
fn a_repeated_authorization_that_was_voided_changes_nothing() {
    let voided = Voided { order: ORDER, void: void_id() }.into();
    let history = [requested(1), authorized(), cancelled(), void_requested(), voided];
    given::<Payment>(&history).when(&record_authorized()).then_nothing();
    given::<Payment>(&history).when(&record_failed()).then_nothing();
}

#[test]
fn an_abandoned_payment_records_the_failure_of_its_open_attempt_once() {
    given::<Payment>(&[requested(1), cancelled()]).when(&record_failed()).then(&[failed()]);
    given::<Payment>(&[requested(1), failed(), cancelled()]).when(&record_failed()).then_nothing();
}

// Proves: payments.abandoned-payment
#[test]
fn a_capture_of_an_abandoned_payment_is_refunded() {
    let state = fold::<Payment>(&[requested(1), authorized(), cancelled(), void_requested()]);
    let events = Payment::decide(&state, &record_captured(), &context(3, noon())).unwrap();
    assert!(
        matches!(&events[..], [PaymentEvent::Captured(_), PaymentEvent::RefundRequested(refund)] if refund.amount == pounds(10))
    );
}

#[test]
fn a_declined_payment_stays_failed_when_it_is_abandoned() {
    let state = fold::<Payment>(&[requested(1), failed(), cancelled()]);
    assert_eq!(state.status(), Some(PaymentStatus::Failed));
}

// Proves: payments.money-out-within-money-in
#[test]
fn refunds_never_exceed_the_captured_amount() {
    let paid = [requested(1), authorized(), captured()];
    given::<Payment>(&paid[..2]).when(&refund(None)).then_refused("payment-not-captured");
    given::<Payment>(&paid).when(&refund(Some(pounds(11)))).then_refused("refund-exceeds-payment");
    given::<Payment>(&paid).when(&refund(Some(pounds(0)))).then_refused("invalid-amount");
    let euros = Money::new(1, Currency::EUR);
    given::<Payment>(&paid).when(&refund(Some(euros))).then_refused("currency-mismatch");
    given::<Payment>(&paid).when(&refund(Some(pounds(4)))).then(&[refund_requested(pounds(4))]);
    given::<Payment>(&paid).when(&refund(None)).then(&[refund_requested(pounds(10))]);
}

#[test]
fn a_refund_is_completed_once() {
    let requested = [requested(1), authorized(), captured(), refund_requested(pounds(4))];
    let record = PaymentCommand::RecordRefunded { refund: REFUND, provider_refund_id: "r".into() };
    let done: PaymentEvent =
        Refunded { order: ORDER, refund: REFUND, amount: pounds(4), provider_refund_id: "r".into() }.into();
    given::<Payment>(&requested).when(&refund(Some(pounds(4)))).then_nothing();
    given::<Payment>(&requested).when(&record).then(std::slice::from_ref(&done));
    let history: Vec<_> = requested.iter().cloned().chain([done]).collect();
    given::<Payment>(&history).when(&record).then_nothing();
    assert_eq!(fold::<Payment>(&history).status(), Some(PaymentStatus::PartiallyRefunded));
    assert_eq!(fold::<Payment>(&history).net_captured(), 600);
    given::<Payment>(&requested[..3]).when(&record).then_refused("refund-not-found");
}
