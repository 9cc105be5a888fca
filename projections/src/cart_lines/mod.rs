//! Read model of cart lines: one row per line, by `cartId:sku`.
//!
//! A change of one line writes one row, even in a cart with a thousand lines. A line keeps its place among
//! the other lines until it is removed from the cart.

mod row;

use std::collections::HashMap;

use souk_domain::cart::event::CartLine;
use souk_domain::cart::{Cart, CartEvent};
use souk_domain::limits::LINES_MAX;
use souk_domain::{Money, Sku};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::CartLineRow;

use crate::stream_event::text;

/// Number of places that are reserved for the lines of one event. No event has as many lines.
const PLACES_PER_EVENT: u32 = 4_096;
const _: () = assert!(LINES_MAX < PLACES_PER_EVENT as usize);

/// Projector of the read model of cart lines.
#[derive(Debug)]
pub struct CartLines;

/// Change of a cart line.
#[derive(Debug)]
pub enum LineChange {
    /// Units are added. The unit price of the added line applies to the whole line.
    Add {
        /// Index of the line in the event, from 0.
        index: usize,
        /// Added units, with their price.
        line: CartLine,
    },
    /// Quantity and price are replaced.
    Set {
        /// New number of units.
        quantity: u32,
        /// New price of one unit.
        unit_price: Money,
    },
    /// Units are subtracted. A line without units is removed.
    Subtract {
        /// Number of units to subtract.
        quantity: u32,
    },
    /// The line is removed.
    Remove,
}

impl Projector for CartLines {
    const MODEL: Model = Model {
        name: "cart_lines",
        version: 2,
        columns: &[
            Column { name: "sku", column_type: ColumnType::Text },
            Column { name: "added", column_type: ColumnType::Integer },
        ],
        indexes: &[],
        sums: &[],
    };
    /// Changes by key of the line.
    type Event = HashMap<String, LineChange>;
    type Row = CartLineRow;

    fn event_types() -> Vec<&'static str> {
        <Cart as Decider>::Event::event_types().to_vec()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        let changes = match recorded.decode()? {
            CartEvent::ItemAdded(event) => add(vec![event.line]),
            CartEvent::ItemChanged(event) => {
                let change = LineChange::Set { quantity: event.quantity, unit_price: event.unit_price };
                vec![(event.sku, change)]
            }
            CartEvent::ItemRemoved(event) => remove(vec![event.sku]),
            CartEvent::Cleared(event) => remove(event.skus),
            CartEvent::Merged(event) => add(event.lines),
            CartEvent::MergedAway(event) => subtract(event.lines),
            CartEvent::CheckedOut(event) => remove(event.lines.into_iter().map(|line| line.sku).collect()),
            CartEvent::OrderRecalled(_) => Vec::new(),
            CartEvent::GivenBack(event) => add(event.lines),
        };
        let cart = recorded.stream.id();
        Ok(Some(changes.into_iter().map(|(sku, change)| (format!("{cart}:{sku}"), change)).collect()))
    }

    fn keys(changes: &Self::Event, _: &RecordedEvent) -> Vec<String> {
        changes.keys().cloned().collect()
    }

    fn project(
        key: &str,
        row: Option<CartLineRow>,
        changes: &Self::Event,
        recorded: &RecordedEvent,
    ) -> Option<CartLineRow> {
        match changes.get(key)? {
            LineChange::Add { index, line } => Some(added_to(row, line, place(recorded, *index))),
            LineChange::Set { quantity, unit_price } => {
                row.map(|row| CartLineRow { quantity: *quantity, unit_price: *unit_price, ..row })
            }
            LineChange::Subtract { quantity: subtracted } => row.and_then(|row| {
                let quantity = row.quantity.saturating_sub(*subtracted);
                (quantity > 0).then_some(CartLineRow { quantity, ..row })
            }),
            LineChange::Remove => None,
        }
    }

    fn columns(_: &str, row: &CartLineRow) -> Vec<Value> {
        vec![text(&row.sku), Value::Integer(row.added)]
    }
}

fn add(lines: Vec<CartLine>) -> Vec<(Sku, LineChange)> {
    let lines = lines.into_iter().enumerate();
    lines.map(|(index, line)| (line.sku.clone(), LineChange::Add { index, line })).collect()
}

fn subtract(lines: Vec<CartLine>) -> Vec<(Sku, LineChange)> {
    lines.into_iter().map(|line| (line.sku, LineChange::Subtract { quantity: line.quantity })).collect()
}

fn remove(skus: Vec<Sku>) -> Vec<(Sku, LineChange)> {
    skus.into_iter().map(|sku| (sku, LineChange::Remove)).collect()
}

/// Returns a row after the units of `line` were added. `place` is the place of a new row.
fn added_to(row: Option<CartLineRow>, line: &CartLine, place: i64) -> CartLineRow {
    let (before, added) = row.map_or((0, place), |row| (row.quantity, row.added));
    CartLineRow {
        sku: line.sku.clone(),
        product: line.product,
        quantity: before.saturating_add(line.quantity),
        unit_price: line.unit_price,
        added,
    }
}

/// Returns the place of a line that an event adds: a number that increases with revision and index.
fn place(recorded: &RecordedEvent, index: usize) -> i64 {
    let revision = i64::try_from(recorded.revision.0).unwrap_or(i64::MAX);
    let index = i64::try_from(index).unwrap_or(0);
    revision.saturating_mul(i64::from(PLACES_PER_EVENT)).saturating_add(index)
}

#[cfg(test)]
mod tests;
