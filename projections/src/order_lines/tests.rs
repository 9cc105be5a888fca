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
fn line_numbers_follow_the_sequence_of_lines_in_the_order() {
    let history = History::default().then(&order_stream(5), placed());
    let second = row::<OrderLines>(&history, &format!("{}:00002", order(5))).unwrap();
    assert_eq!(second.sku, sku("B2"));
}

#[test]
fn later_events_of_an_order_do_not_write_its_lines() {
    let history = History::default().then(&order_stream(5), OrderEvent::from(PaymentAwaited {}));
    assert!(at_once::<OrderLines>(&history).rows.is_empty());
}
