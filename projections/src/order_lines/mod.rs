//! Lines of orders, each a row of its own, written once: what becomes of them is said by the order.

mod row;

pub use row::OrderLineRow;

use souk_domain::order::OrderEvent;
use souk_domain::order::event::OrderLine;
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

use crate::{integer, text};

/// The projector.
#[derive(Debug)]
pub struct OrderLines;

impl Projector for OrderLines {
    const MODEL: Model = Model {
        name: "order_lines",
        version: 1,
        columns: &[text("order_id"), integer("line")],
        indexes: &["order_id, line"],
        sums: &[],
    };
    type Event = Vec<OrderLine>;
    type Row = OrderLineRow;

    fn takes() -> Vec<&'static str> {
        vec!["order.placed"]
    }

    fn read(event: &RecordedEvent) -> Result<Option<Vec<OrderLine>>, DecodeError> {
        Ok(match event.decode()? {
            OrderEvent::Placed(event) => Some(event.draft.lines),
            _ => None,
        })
    }

    fn keys(lines: &Vec<OrderLine>, recorded: &RecordedEvent) -> Vec<String> {
        let order = recorded.stream.id();
        (0..lines.len()).map(|line| format!("{order}:{line:05}")).collect()
    }

    fn project(
        key: &str,
        _: Option<OrderLineRow>,
        lines: &Vec<OrderLine>,
        _: &RecordedEvent,
    ) -> Option<OrderLineRow> {
        lines.get(place(key).1).cloned().map(|line| OrderLineRow { line })
    }

    fn columns(key: &str, _: &OrderLineRow) -> Vec<Value> {
        let (order, line) = place(key);
        let line = i64::try_from(line).unwrap_or(i64::MAX);
        vec![Value::Text(order.to_owned()), Value::Integer(line)]
    }
}

/// Order and line of a key.
fn place(key: &str) -> (&str, usize) {
    let (order, line) = key.split_once(':').unwrap_or((key, ""));
    (order, line.parse().unwrap_or(usize::MAX))
}
