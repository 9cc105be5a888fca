use souk_domain::payment::event::{
    DebtSettled, DebtWithdrawn, RefundFailed, RefundRequested, Refunded, VoidFailed, VoidRequested, Voided,
};
use souk_domain::payment::{Payment, PaymentEvent};
use souk_domain::{DebtId, RefundId, VoidId};
use souk_eventsourcing::StreamName;
use uuid::Uuid;

use super::*;
use crate::testing::{History, golden, order, pence, row};

fn stream() -> StreamName {
    Payment::stream(PaymentId::of(order(5)))
}

fn refund(number: u128) -> RefundId {
    RefundId(Uuid::from_u128(number))
}

fn refund_requested(number: u128, attempt: u32, retries: Option<u128>) -> PaymentEvent {
    RefundRequested {
        order: order(5),
        refund: refund(number),
        provider_payment_id: "pay_1".into(),
        amount: pence(100),
        reason: "broken".into(),
        attempt,
        retries: retries.map(refund),
        requested_at: None,
    }
    .into()
}

fn refund_failed(number: u128) -> PaymentEvent {
    RefundFailed { order: order(5), refund: refund(number), code: "no".into(), detail: "closed".into() }
        .into()
}

fn refunded(number: u128) -> PaymentEvent {
    let provider_refund_id = "re_1".to_owned();
    Refunded { order: order(5), refund: refund(number), amount: pence(100), provider_refund_id }.into()
}

fn void(number: u128) -> VoidId {
    VoidId(Uuid::from_u128(number))
}

fn void_requested(number: u128, attempt: u32, retries: Option<u128>) -> PaymentEvent {
    VoidRequested {
        order: order(5),
        void: void(number),
        provider_payment_id: "pay_1".into(),
        amount: pence(610),
        attempt,
        retries: retries.map(void),
    }
    .into()
}

fn void_failed(number: u128) -> PaymentEvent {
    VoidFailed { order: order(5), void: void(number), code: "no".into(), detail: "expired".into() }.into()
}

fn failure_after(events: Vec<PaymentEvent>, number: u128) -> Option<Failure> {
    let history =
        events.into_iter().fold(History::default(), |history, event| history.then(&stream(), event));
    row::<PaymentDebts>(&history, &Uuid::from_u128(number).to_string()).unwrap().failure
}

#[test]
fn golden() {
    let settled = DebtSettled { order: order(5), debt: DebtId(Uuid::from_u128(3)), reason: "cash".into() };
    let events = [
        refund_requested(1, 1, None),
        refund_failed(1),
        refund_requested(2, 2, Some(1)),
        refunded(2),
        refund_requested(3, 1, None),
        refund_failed(3),
        settled.into(),
        void_requested(4, 1, None),
        void_failed(4),
        void_requested(5, 2, Some(4)),
        Voided { order: order(5), void: void(5) }.into(),
        void_requested(6, 1, None),
        void_failed(6),
    ];
    golden!(
        PaymentDebts,
        events.into_iter().fold(History::default(), |history, event| history.then(&stream(), event))
    );
}

#[test]
fn a_failed_refund_is_a_debt_until_it_is_retried_refunded_or_withdrawn() {
    let failed = vec![refund_requested(1, 1, None), refund_failed(1)];
    assert_eq!(failure_after(failed.clone(), 1).unwrap().detail, "closed");
    assert_eq!(failure_after([failed.clone(), vec![refund_requested(2, 2, Some(1))]].concat(), 1), None);
    assert_eq!(failure_after([failed.clone(), vec![refunded(1)]].concat(), 1), None);
    let debt = DebtId(Uuid::from_u128(1));
    let withdrawn = DebtWithdrawn { order: order(5), debt, reason: "kept".to_owned() };
    assert_eq!(failure_after([failed, vec![withdrawn.into()]].concat(), 1), None);
}
