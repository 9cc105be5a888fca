use souk_domain::order::event::PaymentAwaited;

use super::*;
use crate::testing::{History, at_once, draft, golden, order, order_stream, row, sku};

fn placed() -> OrderEvent {
    Placed { draft: draft(5) }.into()
}

#[test]
fn golden() {
    golden!(OrderLines, History::default().then(&order_stream(5), placed()));
}

#[test]
fn lines_stand_in_the_orders_own_order() {
    let history = History::default().then(&order_stream(5), placed());
    let second = row::<OrderLines>(&history, &format!("{}:00002", order(5))).unwrap();
    assert_eq!(second.sku, sku("B2"));
}

#[test]
fn nothing_that_happens_later_writes_a_line_again() {
    let history = History::default().then(&order_stream(5), OrderEvent::from(PaymentAwaited {}));
    assert!(at_once::<OrderLines>(&history).rows.is_empty());
}
