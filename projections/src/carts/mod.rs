//! Carts: one row a cart, by its id. Its lines are rows of [`crate::cart_lines`].

mod row;

use souk_domain::cart::{Cart, CartEvent};
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

pub use row::CartRow;

use crate::happened::{self, Happened};

/// The rules.
#[derive(Debug)]
pub struct Carts;

impl Projector for Carts {
    const MODEL: Model = Model { name: "carts", version: 1, columns: &[], indexes: &[], sums: &[] };
    type Event = Happened<CartEvent>;
    type Row = CartRow;

    fn takes() -> Vec<&'static str> {
        happened::takes::<Cart>()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        happened::read::<Cart>(recorded)
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
            Happened::Event(CartEvent::ItemAdded(event)) => event.customer.clone(),
            Happened::Event(CartEvent::Merged(event)) => Some(event.customer.clone()),
            Happened::Event(_) | Happened::Noted => None,
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
