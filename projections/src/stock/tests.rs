use souk_domain::stock::event::{Adjusted, Confirmed, Counted, Expired, Released, Reserved, Restocked};
use souk_eventsourcing::StreamName;
use souk_eventsourcing::testkit::noon;

use super::*;
use crate::testing::{History, golden, order_ref, row, sku};

fn stream() -> StreamName {
    Stock::stream(&sku("A1"))
}

fn reserved(order: &str, quantity: u32) -> StockEvent {
    Reserved { order: order_ref(order), quantity, expires_at: noon() }.into()
}

fn counted(on_hand: i64) -> StockEvent {
    Counted { on_hand }.into()
}

#[test]
fn golden() {
    let history = History::default()
        .then(&stream(), counted(10))
        .then(&stream(), StockEvent::from(Adjusted { change: -1, reason: "broken".into() }))
        .then(&stream(), reserved("o1", 3))
        .then(&stream(), reserved("o2", 2))
        .then(&stream(), reserved("o3", 1))
        .noted(&stream())
        .then(&stream(), StockEvent::from(Confirmed { order: order_ref("o1"), quantity: 3 }))
        .then(&stream(), StockEvent::from(Released { order: order_ref("o2"), quantity: 2 }))
        .then(&stream(), StockEvent::from(Expired { order: order_ref("o3"), quantity: 1 }))
        .then(&stream(), StockEvent::from(Restocked { order: order_ref("o1"), quantity: 3 }));
    golden!(StockLevels, history);
}

// Proves: inventory.confirming
#[test]
fn confirming_a_reservation_lowers_reserved_and_on_hand_units() {
    let held = History::default().then(&stream(), counted(10)).then(&stream(), reserved("o1", 3));
    let row_held = row::<StockLevels>(&held, "A1").unwrap();
    assert_eq!((row_held.on_hand, row_held.reserved), (10, 3));
    let confirmed = held.then(&stream(), StockEvent::from(Confirmed { order: order_ref("o1"), quantity: 3 }));
    let row_confirmed = row::<StockLevels>(&confirmed, "A1").unwrap();
    assert_eq!((row_confirmed.on_hand, row_confirmed.reserved), (7, 0));
}

#[test]
fn a_noted_event_creates_no_row() {
    assert!(row::<StockLevels>(&History::default().noted(&stream()), "A1").is_none());
}
