//! Read model of order lines: one row per line, by order id and line number, as in `orderId:00001`.
//!
//! A row is written once and never changes. The state of a line follows from the row of its order. A change
//! of an order with a thousand lines therefore writes one row instead of a thousand.

mod row;

use souk_domain::order::{OrderEvent, event::Placed};
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

pub use row::OrderLineRow;

/// Projector of the read model of order lines.
#[derive(Debug)]
pub struct OrderLines;

impl Projector for OrderLines {
    const MODEL: Model = Model { name: "order_lines", version: 1, columns: &[], indexes: &[], sums: &[] };
    type Event = Placed;
    type Row = OrderLineRow;

    fn event_types() -> Vec<&'static str> {
        vec!["order.placed"]
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Placed>, DecodeError> {
        match recorded.decode()? {
            OrderEvent::Placed(event) => Ok(Some(event)),
            _ => Ok(None),
        }
    }

    fn keys(event: &Placed, _: &RecordedEvent) -> Vec<String> {
        let order = event.draft.order;
        (1..=event.draft.lines.len()).map(|number| format!("{order}:{number:05}")).collect()
    }

    fn project(
        key: &str,
        _: Option<OrderLineRow>,
        event: &Placed,
        _: &RecordedEvent,
    ) -> Option<OrderLineRow> {
        let number: usize = key.rsplit_once(':')?.1.parse().ok()?;
        event.draft.lines.get(number.checked_sub(1)?).cloned()
    }

    fn columns(_: &str, _: &OrderLineRow) -> Vec<Value> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
