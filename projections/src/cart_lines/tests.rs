use souk_domain::CartId;
use souk_domain::cart::event::{
    CheckedOut, Cleared, GivenBack, ItemAdded, ItemChanged, ItemRemoved, Merged, MergedAway,
};
use souk_eventsourcing::StreamName;
use uuid::Uuid;

use super::*;
use crate::testing::{History, ada, at_once, draft, golden, order, pence, product, row, sku};

fn cart() -> CartId {
    CartId(Uuid::from_u128(9))
}

fn stream() -> StreamName {
    Cart::stream(cart())
}

fn line(text: &str, quantity: u32, amount: i64) -> CartLine {
    CartLine { sku: sku(text), product: product(1), quantity, unit_price: pence(amount) }
}

fn added(text: &str, quantity: u32, amount: i64) -> CartEvent {
    ItemAdded { line: line(text, quantity, amount), customer: None }.into()
}

fn checked_out() -> CartEvent {
    CheckedOut { draft: draft(5), lines: vec![line("A1", 2, 255), line("B2", 1, 100)] }.into()
}

fn line_of(history: &History, text: &str) -> Option<CartLineRow> {
    row::<CartLines>(history, &format!("{}:{text}", cart()))
}

#[test]
fn golden() {
    let merged = Merged {
        from: cart(),
        from_revision: 3,
        lines: vec![line("B2", 1, 90), line("C3", 1, 5)],
        fresh: vec![line("B2", 1, 90), line("C3", 1, 5)],
        customer: ada(),
    };
    let history = History::default()
        .then(&stream(), added("A1", 2, 255))
        .then(&stream(), added("B2", 1, 100))
        .then(&stream(), CartEvent::from(ItemChanged { sku: sku("A1"), quantity: 5, unit_price: pence(250) }))
        .then(&stream(), CartEvent::from(merged))
        .then(&stream(), CartEvent::from(ItemRemoved { sku: sku("C3") }))
        .then(&stream(), checked_out())
        .then(&stream(), CartEvent::from(GivenBack { order: order(5), lines: vec![line("A1", 2, 255)] }))
        .then(&stream(), CartEvent::from(Cleared { skus: vec![sku("A1")] }))
        .then(&stream(), added("A1", 3, 255))
        .then(&stream(), added("B2", 2, 100))
        .then(
            &stream(),
            CartEvent::from(MergedAway {
                into: cart(),
                at_revision: 9,
                lines: vec![line("A1", 1, 255), line("B2", 2, 100)],
                is_owed: true,
            }),
        );
    golden!(CartLines, history);
}

#[test]
fn adding_a_sku_again_adds_its_units_and_replaces_its_price() {
    let history =
        History::default().then(&stream(), added("A1", 2, 255)).then(&stream(), added("A1", 3, 240));
    let row = line_of(&history, "A1").unwrap();
    assert_eq!((row.quantity, row.unit_price), (5, pence(240)));
}

#[test]
fn a_line_keeps_its_place_until_it_is_removed_from_the_cart() {
    let history = History::default()
        .then(&stream(), added("A1", 1, 255))
        .then(&stream(), added("B2", 1, 100))
        .then(&stream(), added("A1", 1, 255));
    assert!(line_of(&history, "A1").unwrap().added < line_of(&history, "B2").unwrap().added);
    let history = history
        .then(&stream(), CartEvent::from(ItemRemoved { sku: sku("A1") }))
        .then(&stream(), added("A1", 1, 255));
    assert!(line_of(&history, "A1").unwrap().added > line_of(&history, "B2").unwrap().added);
}

#[test]
fn checking_out_empties_the_cart() {
    let history = History::default()
        .then(&stream(), added("A1", 2, 255))
        .then(&stream(), added("B2", 1, 100))
        .then(&stream(), checked_out());
    assert!(at_once::<CartLines>(&history).rows.is_empty());
}
