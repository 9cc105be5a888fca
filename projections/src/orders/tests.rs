use souk_domain::order::event::{
    AddressChanged, Attached, CancellationRequested, Cancelled, Confirmed, Delivered, Erased, PaidOutside,
    PaymentAwaited, Placed, Reason, ReasonCode, Returned, Reversal, ReversalLine, ShipmentCorrected, Shipped,
    TimedOut,
};
use souk_domain::{ReversalId, Sku};
use souk_eventsourcing::Personal;
use souk_eventsourcing::projector::SumChange;
use uuid::Uuid;

use super::*;
use crate::testing::{
    History, ada, address, at_once, draft, email_hash, golden, order, order_stream, pence, row, sku,
};

fn events(number: u128, events: Vec<OrderEvent>) -> History {
    continued(History::default(), number, events)
}

fn continued(history: History, number: u128, events: Vec<OrderEvent>) -> History {
    events.into_iter().fold(history, |history, event| history.then(&order_stream(number), event))
}

fn placed(number: u128) -> OrderEvent {
    Placed { draft: draft(number) }.into()
}

fn awaited() -> OrderEvent {
    PaymentAwaited {}.into()
}

fn confirmed() -> OrderEvent {
    Confirmed { paid_outside: false }.into()
}

fn reason(code: ReasonCode) -> Reason {
    Reason { code, detail: "in words".into() }
}

fn cancelled(code: ReasonCode, failed: &[&str]) -> OrderEvent {
    let failed_skus = failed.iter().map(|text| sku(text)).collect();
    Cancelled { reason: reason(code), failed_skus, reversal: None }.into()
}

fn returned(complete: bool) -> OrderEvent {
    let lines = vec![ReversalLine { sku: sku("A1"), quantity: 1 }];
    let reversal = Reversal { id: ReversalId(Uuid::from_u128(3)), lines, refund: Some(pence(255)) };
    Returned { reversal, complete, value: Some(pence(255)) }.into()
}

fn order_row(history: &History) -> OrderRow {
    row::<Orders>(history, &order(5).to_string()).unwrap()
}

fn sales(history: &History) -> Vec<SumChange> {
    at_once::<Orders>(history).sums
}

#[test]
fn golden() {
    let shipped = Shipped { carrier: "Post".into(), tracking: "X1".into() };
    let delivered = vec![
        placed(5),
        awaited(),
        PaidOutside {}.into(),
        Confirmed { paid_outside: true }.into(),
        AddressChanged { address: Personal::new(ada().person(), "shippingAddress", address("Bob")) }.into(),
        shipped.into(),
        ShipmentCorrected { carrier: "Post".into(), tracking: "X2".into() }.into(),
        Delivered {}.into(),
        returned(false),
        returned(true),
    ];
    let history = events(5, delivered).noted(&order_stream(5));
    let requested = CancellationRequested { reason: reason(ReasonCode::CancelledByCustomer) };
    let undone = vec![
        placed(6),
        awaited(),
        confirmed(),
        requested.into(),
        cancelled(ReasonCode::CancelledByCustomer, &[]),
    ];
    let history = continued(history, 6, undone);
    let history = continued(history, 7, vec![placed(7), cancelled(ReasonCode::InsufficientStock, &["B2"])]);
    let late = TimedOut { reason: reason(ReasonCode::PaymentTimedOut) };
    golden!(Orders, continued(history, 8, vec![placed(8), awaited(), late.into()]));
}

#[test]
fn a_confirmed_order_is_a_sale_of_that_utc_day() {
    let sums = sales(&events(5, vec![placed(5), awaited(), confirmed()]));
    let key = "GBP:2026-11-21".to_owned();
    assert_eq!(sums, [SumChange { sum: "sales", key, contributors: 1, deltas: vec![1, 3, 610] }]);
}

// Proves: reports.sales-by-day
#[test]
fn an_unconfirmed_order_is_not_a_sale() {
    assert!(sales(&events(5, vec![placed(5), awaited()])).is_empty());
}

// Proves: reports.sales-by-day
#[test]
fn a_cancelled_order_is_not_a_sale_but_a_returned_order_is() {
    let sold = vec![placed(5), awaited(), confirmed()];
    let undone = [sold.clone(), vec![cancelled(ReasonCode::CancelledByShop, &[])]].concat();
    assert!(sales(&events(5, undone)).is_empty());
    let shipped = Shipped { carrier: "Post".into(), tracking: "X1".into() };
    let back = [sold, vec![shipped.into(), Delivered {}.into(), returned(true)]].concat();
    assert_eq!(sales(&events(5, back)).len(), 1);
}

// Proves: reports.refunds-lower-revenue
#[test]
fn a_refund_outside_the_shop_lowers_the_revenue_of_its_day() {
    let outside = || vec![placed(5), awaited(), Confirmed { paid_outside: true }.into()];
    let shipped = || Shipped { carrier: "Post".into(), tracking: "X1".into() }.into();
    let revenue = |back: Vec<OrderEvent>| {
        let sums = sales(&events(5, [outside(), vec![shipped()], back].concat()));
        sums.iter().map(|sum| sum.deltas.clone()).collect::<Vec<_>>()
    };
    assert_eq!(revenue(vec![returned(false)]), [[1, 3, 355]]);
    // Older events hold no price of the returned goods: the last return counts the rest of the total.
    let OrderEvent::Returned(last) = returned(true) else { unreachable!() };
    let old = || OrderEvent::from(Returned { value: None, ..last.clone() });
    assert_eq!(revenue(vec![returned(false), old()]), [[1, 3, 0]]);
    assert_eq!(revenue(vec![old()]), [[1, 3, 0]]);
    let cancelled = cancelled(ReasonCode::CancelledByShop, &[]);
    assert!(sales(&events(5, [outside(), vec![cancelled]].concat())).is_empty());
}

#[test]
fn the_reservation_of_a_line_follows_from_the_order() {
    let first = sku("A1");
    let second = sku("B2");
    let reservation = |history: &History, sku: &Sku| {
        let row = order_row(history);
        row.reservation(row.failed_skus.contains(sku))
    };
    let mut history = events(5, vec![placed(5)]);
    assert_eq!(reservation(&history, &first), LineReservation::Pending);
    history = continued(history, 5, vec![awaited()]);
    assert_eq!(reservation(&history, &first), LineReservation::Reserved);
    history = continued(history, 5, vec![confirmed()]);
    assert_eq!(reservation(&history, &first), LineReservation::Confirmed);
    let failed = events(5, vec![placed(5), cancelled(ReasonCode::InsufficientStock, &["B2"])]);
    assert_eq!(reservation(&failed, &first), LineReservation::Released);
    assert_eq!(reservation(&failed, &second), LineReservation::Failed);
}

// Proves: orders.timeline
#[test]
fn the_timeline_lists_every_event_except_noted_ones() {
    let history = events(5, vec![placed(5), awaited()]).noted(&order_stream(5));
    let row = order_row(&history);
    let names: Vec<&str> = row.timeline.iter().map(|entry| entry.event.as_str()).collect();
    assert_eq!((names, row.revision), (vec!["placed", "payment-awaited"], 2));
}

#[test]
fn an_order_stays_delivered_after_a_partial_return() {
    let history = events(5, vec![placed(5), confirmed(), Delivered {}.into(), returned(false)]);
    assert_eq!(order_row(&history).status, OrderStatus::Delivered);
}

#[test]
fn an_order_of_an_erased_buyer_waits_for_an_address_until_it_gets_one_or_is_cancelled() {
    let erased = || OrderEvent::from(Erased { person: ada().person() });
    let row = order_row(&events(5, vec![placed(5), awaited(), confirmed(), erased()]));
    assert!(row.is_erased && row.waits_for_an_address());
    let address = Personal::new(order(5).readdressed(), "shippingAddress", address("Bob"));
    let readdressed = AddressChanged { address }.into();
    let row = order_row(&events(5, vec![placed(5), awaited(), confirmed(), erased(), readdressed]));
    assert!(row.is_erased && !row.waits_for_an_address());
    let given_up = cancelled(ReasonCode::CancelledByShop, &[]);
    let row = order_row(&events(5, vec![placed(5), awaited(), confirmed(), erased(), given_up]));
    assert!(!row.waits_for_an_address());
}

#[test]
fn a_guest_order_is_found_by_its_email_hash_until_it_is_attached_or_erased() {
    let email = Personal::new(order(5).guest(), "email", "ada@example.org".to_owned());
    let guests = || {
        let draft =
            Draft { customer: None, email: Some(email.clone()), email_hash: Some(email_hash()), ..draft(5) };
        OrderEvent::from(Placed { draft })
    };
    assert_eq!(order_row(&events(5, vec![guests()])).guest_email_hash(), Some(&email_hash()));
    let attached = Attached { customer: ada(), email: None, shipping_address: None };
    let row = order_row(&events(5, vec![guests(), attached.into()]));
    assert_eq!((row.guest_email_hash(), row.customer.as_ref()), (None, Some(&ada())));
    let erased = Erased { person: order(5).guest() };
    assert_eq!(order_row(&events(5, vec![guests(), erased.into()])).guest_email_hash(), None);
}
