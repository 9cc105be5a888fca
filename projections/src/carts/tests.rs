use souk_domain::CartId;
use souk_domain::cart::event::{CartLine, ItemAdded, ItemRemoved, Merged};
use souk_eventsourcing::StreamName;
use uuid::Uuid;

use super::*;
use crate::testing::{History, ada, golden, pence, product, row, sku};

fn stream() -> StreamName {
    Cart::stream(CartId(Uuid::from_u128(9)))
}

fn added() -> CartEvent {
    let line = CartLine { sku: sku("A1"), product: product(1), quantity: 2, unit_price: pence(255) };
    ItemAdded { line, customer: None }.into()
}

fn merged() -> CartEvent {
    let from = CartId(Uuid::from_u128(8));
    Merged { from, from_revision: 3, lines: Vec::new(), fresh: Vec::new(), customer: ada() }.into()
}

#[test]
fn golden() {
    let history = History::default().then(&stream(), added()).noted(&stream()).then(&stream(), merged());
    golden!(Carts, history);
}

#[test]
fn a_cart_keeps_its_customer_when_its_lines_change() {
    let removed = CartEvent::from(ItemRemoved { sku: sku("A1") });
    let history =
        History::default().then(&stream(), merged()).then(&stream(), added()).then(&stream(), removed);
    let row = row::<Carts>(&history, stream().id()).unwrap();
    assert_eq!((row.customer, row.revision), (Some(ada()), 2));
}
