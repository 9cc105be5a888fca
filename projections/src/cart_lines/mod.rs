//! Lines of carts, each a row of its own: the thousandth costs what the first did.

mod row;

pub use row::CartLineRow;

use souk_domain::Sku;
use souk_domain::cart::CartEvent;
use souk_domain::cart::event::CartLine;
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, EventPayload, RecordedEvent};

use crate::{integer, text};

/// The projector.
#[derive(Debug)]
pub struct CartLines;

fn skus(event: &CartEvent) -> Vec<&Sku> {
    let lines = match event {
        CartEvent::ItemAdded(event) => return vec![&event.line.sku],
        CartEvent::ItemChanged(event) => return vec![&event.sku],
        CartEvent::ItemRemoved(event) => return vec![&event.sku],
        CartEvent::Cleared(event) => return event.skus.iter().collect(),
        CartEvent::MergedAway(event) => return event.skus.iter().collect(),
        CartEvent::Merged(event) => &event.lines,
        CartEvent::CheckedOut(event) => &event.lines,
        CartEvent::GivenBack(event) => &event.lines,
    };
    lines.iter().map(|line| &line.sku).collect()
}

impl Projector for CartLines {
    const MODEL: Model = Model {
        name: "cart_lines",
        version: 1,
        columns: &[text("cart"), text("sku"), integer("added")],
        indexes: &["cart, added, sku"],
        sums: &[],
    };
    type Event = CartEvent;
    type Row = CartLineRow;

    fn takes() -> Vec<&'static str> {
        CartEvent::event_types().to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<CartEvent>, DecodeError> {
        event.decode().map(Some)
    }

    fn keys(event: &CartEvent, recorded: &RecordedEvent) -> Vec<String> {
        let cart = recorded.stream.id();
        let mut keys: Vec<String> = skus(event).into_iter().map(|sku| format!("{cart}:{sku}")).collect();
        keys.sort();
        keys.dedup();
        keys
    }

    fn project(
        key: &str,
        row: Option<CartLineRow>,
        event: &CartEvent,
        recorded: &RecordedEvent,
    ) -> Option<CartLineRow> {
        let sku = key.split_once(':').map_or("", |(_, sku)| sku);
        match event {
            CartEvent::ItemAdded(event) => Some(put_in(row, &event.line, recorded)),
            CartEvent::ItemChanged(event) => {
                row.map(|row| CartLineRow { quantity: event.quantity, unit_price: event.unit_price, ..row })
            }
            CartEvent::Merged(event) => add_lines(row, &event.lines, sku, recorded),
            CartEvent::GivenBack(event) => add_lines(row, &event.lines, sku, recorded),
            CartEvent::ItemRemoved(_)
            | CartEvent::Cleared(_)
            | CartEvent::MergedAway(_)
            | CartEvent::CheckedOut(_) => None,
        }
    }

    fn columns(key: &str, row: &CartLineRow) -> Vec<Value> {
        let (cart, sku) = key.split_once(':').unwrap_or((key, ""));
        let added = i64::try_from(row.added).unwrap_or(i64::MAX);
        vec![Value::Text(cart.to_owned()), Value::Text(sku.to_owned()), Value::Integer(added)]
    }
}

fn put_in(row: Option<CartLineRow>, line: &CartLine, recorded: &RecordedEvent) -> CartLineRow {
    let added = row.as_ref().map_or(recorded.revision.0, |row| row.added);
    let present = row.map_or(0, |row| row.quantity);
    let quantity = present.saturating_add(line.quantity);
    CartLineRow { product: line.product, quantity, unit_price: line.unit_price, added }
}

fn add_lines(
    row: Option<CartLineRow>,
    lines: &[CartLine],
    sku: &str,
    recorded: &RecordedEvent,
) -> Option<CartLineRow> {
    let of_sku = lines.iter().filter(|line| line.sku.as_str() == sku);
    of_sku.fold(row, |row, line| Some(put_in(row, line, recorded)))
}
