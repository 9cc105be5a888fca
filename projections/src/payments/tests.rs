use souk_domain::VoidId;
use souk_domain::order::event::{Reason, ReasonCode};
use souk_domain::order::{self as orders, OrderEvent};
use souk_domain::payment::event::{
    Accepted, Authorized, Cancelled, CaptureFailed, Captured, DebtSettled, DebtWithdrawn, Failed,
    RefundFailed, RefundRequested, Refunded, VoidRequested, Voided,
};
use souk_eventsourcing::StreamName;
use uuid::Uuid;

use super::*;
use crate::testing::{History, at_once, golden, order, order_stream, pence, row};

fn stream() -> StreamName {
    Payment::stream(PaymentId::of(order(5)))
}

fn refund_id(number: u128) -> RefundId {
    RefundId(Uuid::from_u128(number))
}

fn requested(attempt: u32) -> PaymentEvent {
    Requested { order: order(5), amount: pence(610), token: "tok_ok".into(), attempt }.into()
}

fn authorized(attempts: u32) -> PaymentEvent {
    let provider_payment_id = "pay_1".to_owned();
    Authorized { order: order(5), provider_payment_id, amount: pence(610), attempts }.into()
}

fn failed(attempts: u32) -> PaymentEvent {
    Failed { order: order(5), code: "declined".into(), detail: "no".into(), attempts }.into()
}

fn captured() -> PaymentEvent {
    Captured { order: order(5), amount: pence(610) }.into()
}

fn cancelled() -> PaymentEvent {
    Cancelled { order: order(5) }.into()
}

fn refund_requested(number: u128, amount: i64) -> PaymentEvent {
    RefundRequested {
        order: order(5),
        refund: refund_id(number),
        provider_payment_id: "pay_1".to_owned(),
        amount: pence(amount),
        reason: "broken".to_owned(),
        attempt: 1,
        retries: None,
        requested_at: None,
    }
    .into()
}

fn refunded(number: u128, amount: i64) -> PaymentEvent {
    let provider_refund_id = "re_1".to_owned();
    Refunded { order: order(5), refund: refund_id(number), amount: pence(amount), provider_refund_id }.into()
}

fn row_after(events: Vec<PaymentEvent>) -> PaymentRow {
    row::<Payments>(&history(events), stream().id()).unwrap()
}

fn history(events: Vec<PaymentEvent>) -> History {
    events.into_iter().fold(History::default(), |history, event| history.then(&stream(), event))
}

#[test]
fn golden() {
    let refund_failed =
        RefundFailed { order: order(5), refund: refund_id(2), code: "x".into(), detail: "y".into() };
    let capture_failed = CaptureFailed { order: order(5), code: "x".into(), detail: "y".into() };
    let void = VoidId(Uuid::from_u128(4));
    let void_requested = VoidRequested {
        order: order(5),
        void,
        provider_payment_id: "pay_0".to_owned(),
        amount: pence(610),
        attempt: 1,
        retries: None,
    };
    let events = vec![
        requested(1),
        failed(1),
        requested(2),
        Accepted { order: order(5), provider_payment_id: "pay_1".into() }.into(),
        authorized(2),
        void_requested.into(),
        Voided { order: order(5), void }.into(),
        capture_failed.into(),
        captured(),
        refund_requested(1, 100),
        refunded(1, 100),
        refund_requested(2, 5),
        refund_failed.into(),
        refund_requested(3, 510),
        refunded(3, 510),
        cancelled(),
    ];
    golden!(Payments, history(events).noted(&stream()));
}

#[test]
fn the_number_of_attempts_counts_all_calls_to_the_provider() {
    assert_eq!(row_after(vec![requested(1)]).attempts, 1);
    assert_eq!(row_after(vec![requested(1), authorized(3)]).attempts, 3);
    assert_eq!(row_after(vec![requested(1), failed(2), requested(2), authorized(3)]).attempts, 5);
    assert_eq!(row_after(vec![requested(1), authorized(0)]).attempts, 1);
}

#[test]
fn a_failed_payment_stays_failed_after_it_is_cancelled() {
    assert_eq!(row_after(vec![requested(1), failed(1), cancelled()]).status, PaymentStatus::Failed);
}

#[test]
fn a_cancelled_payment_stays_cancelled_after_a_late_authorization() {
    assert_eq!(row_after(vec![requested(1), cancelled()]).status, PaymentStatus::Cancelled);
    assert_eq!(row_after(vec![requested(1), cancelled(), authorized(1)]).status, PaymentStatus::Cancelled);
}

#[test]
fn a_payment_is_refunded_when_its_refunds_reach_the_captured_amount() {
    let mut events =
        vec![requested(1), authorized(1), captured(), refund_requested(1, 600), refunded(1, 600)];
    assert_eq!(row_after(events.clone()).status, PaymentStatus::PartiallyRefunded);
    events.extend([refund_requested(2, 10), refunded(2, 10)]);
    assert_eq!(row_after(events).status, PaymentStatus::Refunded);
}

#[test]
fn the_owed_amount_counts_failed_refunds_until_they_are_retried_or_refunded() {
    let refund_failed = |number: u128| -> PaymentEvent {
        RefundFailed { order: order(5), refund: refund_id(number), code: "x".into(), detail: "y".into() }
            .into()
    };
    let mut events = vec![requested(1), authorized(1), captured(), refund_requested(1, 600)];
    assert_eq!(row_after(events.clone()).owed(), 0, "the provider has not responded yet");
    events.push(refund_failed(1));
    assert_eq!(row_after(events.clone()).owed(), 600);
    let again = RefundRequested {
        order: order(5),
        refund: refund_id(2),
        provider_payment_id: "pay_1".into(),
        amount: pence(600),
        reason: String::new(),
        attempt: 2,
        retries: Some(refund_id(1)),
        requested_at: None,
    };
    events.push(again.into());
    assert_eq!(row_after(events.clone()).owed(), 0);
    events.push(refund_failed(2));
    assert_eq!(row_after(events.clone()).owed(), 600);
    events.push(refunded(2, 600));
    assert_eq!(row_after(events).owed(), 0);
}

#[test]
fn a_debt_that_was_settled_in_another_way_counts_as_refunded() {
    let refund_failed =
        RefundFailed { order: order(5), refund: refund_id(1), code: "x".into(), detail: "y".into() };
    let events = vec![
        requested(1),
        authorized(1),
        captured(),
        refund_requested(1, 600),
        PaymentEvent::from(refund_failed),
    ];
    let debt = DebtId(refund_id(1).0);
    let reason = "bank transfer".to_owned();
    let settled = DebtSettled { order: order(5), debt, reason: reason.clone() };
    let row = row_after([events.clone(), vec![settled.into()]].concat());
    assert_eq!((row.status, row.owed()), (PaymentStatus::PartiallyRefunded, 0));
    let withdrawn = DebtWithdrawn { order: order(5), debt, reason };
    let row = row_after([events, vec![withdrawn.into()]].concat());
    assert_eq!((row.status, row.owed()), (PaymentStatus::Captured, 0));
}

#[test]
fn refunds_are_summed_by_the_day_of_the_refund() {
    let captured_payment = || vec![requested(1), authorized(1), captured()];
    let sums_after = |events: Vec<PaymentEvent>| {
        let sums = at_once::<Payments>(&history([captured_payment(), events].concat())).sums;
        sums.into_iter().map(|sum| (sum.key, sum.deltas[0])).collect::<Vec<_>>()
    };
    let day = || "GBP:2026-11-21".to_owned();
    assert_eq!(sums_after(vec![refund_requested(1, 600)]), []);
    assert_eq!(sums_after(vec![refund_requested(1, 600), refunded(1, 600)]), [(day(), 600)]);
    let both = vec![refund_requested(1, 600), refunded(1, 600), refund_requested(2, 10), refunded(2, 10)];
    assert_eq!(sums_after(both), [(day(), 610)]);
    let refund_failed =
        RefundFailed { order: order(5), refund: refund_id(1), code: "x".into(), detail: "y".into() };
    let debt = DebtId(refund_id(1).0);
    let settled = DebtSettled { order: order(5), debt, reason: "bank transfer".to_owned() };
    assert_eq!(
        sums_after(vec![refund_requested(1, 600), refund_failed.into(), settled.into()]),
        [(day(), 600)]
    );
}

#[test]
fn refunds_of_a_cancelled_order_are_not_summed() {
    let events = vec![requested(1), authorized(1), captured(), refund_requested(1, 600), refunded(1, 600)];
    let reason = Reason { code: ReasonCode::CancelledByShop, detail: "".into() };
    let ended = orders::event::Cancelled { reason, failed_skus: Vec::new(), reversal: None };
    let history = history(events).then(&order_stream(5), OrderEvent::from(ended));
    assert!(at_once::<Payments>(&history).sums.is_empty());
    let row = row::<Payments>(&history, stream().id()).unwrap();
    assert_eq!((row.is_order_ended_early, row.revision), (true, 4));
}
