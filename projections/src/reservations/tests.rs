use souk_domain::stock::event::{Confirmed, Counted, Expired, Released, Reserved};
use souk_eventsourcing::StreamName;
use souk_eventsourcing::testkit::noon;

use super::*;
use crate::testing::{History, at_once, golden, order_ref, sku};

fn stream() -> StreamName {
    Stock::stream(&sku("A1"))
}

fn reserved(order: &str) -> StockEvent {
    Reserved { order: order_ref(order), quantity: 3, expires_at: noon() }.into()
}

#[test]
fn golden() {
    let history = History::default()
        .then(&stream(), StockEvent::from(Counted { on_hand: 10 }))
        .then(&stream(), reserved("o1"))
        .then(&stream(), reserved("o2"))
        .then(&stream(), reserved("o3"))
        .then(&stream(), StockEvent::from(Confirmed { order: order_ref("o1"), quantity: 3 }))
        .then(&stream(), StockEvent::from(Released { order: order_ref("o2"), quantity: 3 }))
        .then(&stream(), StockEvent::from(Expired { order: order_ref("o3"), quantity: 3 }));
    golden!(Reservations, history);
}

#[test]
fn a_reservation_that_opens_and_closes_in_one_page_is_never_written() {
    let history = History::default()
        .then(&stream(), reserved("o1"))
        .then(&stream(), StockEvent::from(Confirmed { order: order_ref("o1"), quantity: 3 }));
    assert!(at_once::<Reservations>(&history).rows.is_empty());
}
