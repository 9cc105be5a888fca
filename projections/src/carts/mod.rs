//! Read model of carts: one row per cart, by cart id. The lines of a cart are rows of [`crate::cart_lines`].

mod row;

use souk_domain::cart::{Cart, CartEvent};
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

pub use row::CartRow;

use crate::stream_event::{self, StreamEvent};

/// Projector of the read model of carts.
#[derive(Debug)]
pub struct Carts;

impl Projector for Carts {
    const MODEL: Model = Model { name: "carts", version: 1, columns: &[], indexes: &[], sums: &[] };
    type Event = StreamEvent<CartEvent>;
    type Row = CartRow;

    fn event_types() -> Vec<&'static str> {
        stream_event::event_types::<Cart>()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        stream_event::read::<Cart>(recorded)
    }

    fn keys(_: &Self::Event, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(
        _: &str,
        row: Option<CartRow>,
        event: &Self::Event,
        recorded: &RecordedEvent,
    ) -> Option<CartRow> {
        let customer = match event {
            StreamEvent::Event(CartEvent::ItemAdded(event)) => event.customer.clone(),
            StreamEvent::Event(CartEvent::Merged(event)) => Some(event.customer.clone()),
            StreamEvent::Event(_) | StreamEvent::Noted => None,
        };
        let customer = customer.or_else(|| row.and_then(|row| row.customer));
        Some(CartRow { customer, revision: recorded.revision.0 })
    }

    fn columns(_: &str, _: &CartRow) -> Vec<Value> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests;
