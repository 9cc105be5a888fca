//! Lines of orders: one row a line, by `orderId:00001` in the order's own order, written once. What
//! becomes of a line follows from the order's row, so that no step of an order of a thousand lines
//! writes a thousand rows again.

mod row;

use souk_domain::order::{OrderEvent, event::Placed};
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

pub use row::OrderLineRow;

/// The rules.
#[derive(Debug)]
pub struct OrderLines;

impl Projector for OrderLines {
    const MODEL: Model = Model { name: "order_lines", version: 1, columns: &[], indexes: &[], sums: &[] };
    type Event = Placed;
    type Row = OrderLineRow;

    fn takes() -> Vec<&'static str> {
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
