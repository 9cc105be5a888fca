//! Carts: their revision and whose they are.

mod row;

pub use row::CartRow;

use souk_domain::cart::CartEvent;
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, EventPayload, RecordedEvent};

use crate::text;

/// The projector.
#[derive(Debug)]
pub struct Carts;

impl Projector for Carts {
    const MODEL: Model =
        Model { name: "carts", version: 1, columns: &[text("customer")], indexes: &[], sums: &[] };
    type Event = CartEvent;
    type Row = CartRow;

    fn takes() -> Vec<&'static str> {
        CartEvent::event_types().to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<CartEvent>, DecodeError> {
        event.decode().map(Some)
    }

    fn keys(_: &CartEvent, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(_: &str, row: Option<CartRow>, event: &CartEvent, recorded: &RecordedEvent) -> Option<CartRow> {
        let mut row = row.unwrap_or_default();
        row.revision = recorded.revision.0;
        match event {
            CartEvent::ItemAdded(event) if event.customer.is_some() => row.customer.clone_from(&event.customer),
            CartEvent::Merged(event) => row.customer = Some(event.customer.clone()),
            _ => {}
        }
        Some(row)
    }

    fn columns(_: &str, row: &CartRow) -> Vec<Value> {
        let customer = row.customer.as_ref();
        vec![customer.map_or(Value::Null, |customer| Value::Text(customer.as_str().to_owned()))]
    }
}
