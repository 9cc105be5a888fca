//! Lines of carts: one row a line, by `cartId:sku`, so that a change to one line of a thousand writes one
//! row. A line keeps its place among the others until it leaves the cart.

mod row;

use std::collections::HashMap;

use souk_domain::cart::event::CartLine;
use souk_domain::cart::{Cart, CartEvent};
use souk_domain::limits::LINES_MAX;
use souk_domain::{Money, Sku};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::CartLineRow;

use crate::happened::text;

/// Places that one event can give out: more than lines in any event.
const PLACES_AN_EVENT: u32 = 4_096;
const _: () = assert!(LINES_MAX < PLACES_AN_EVENT as usize);

/// The rules.
#[derive(Debug)]
pub struct CartLines;

/// What becomes of a line.
#[derive(Debug)]
pub enum LineChange {
    /// Units are added, at a price for the whole line; `index` is the line's place in the event.
    PutIn {
        /// The line's place in the event.
        index: usize,
        /// What is added.
        line: CartLine,
    },
    /// It has these units and this price.
    Set {
        /// Units.
        quantity: u32,
        /// The price of one.
        unit_price: Money,
    },
    /// So many units go, and with the last of them the line.
    TakenOut {
        /// Units.
        quantity: u32,
    },
    /// It goes.
    Gone,
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
    /// By the line's key.
    type Event = HashMap<String, LineChange>;
    type Row = CartLineRow;

    fn takes() -> Vec<&'static str> {
        <Cart as Decider>::Event::event_types().to_vec()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        let changes = match recorded.decode()? {
            CartEvent::ItemAdded(event) => put_in(vec![event.line]),
            CartEvent::ItemChanged(event) => {
                let change = LineChange::Set { quantity: event.quantity, unit_price: event.unit_price };
                vec![(event.sku, change)]
            }
            CartEvent::ItemRemoved(event) => gone(vec![event.sku]),
            CartEvent::Cleared(event) => gone(event.skus),
            CartEvent::Merged(event) => put_in(event.lines),
            CartEvent::MergedAway(event) => taken_out(event.lines),
            CartEvent::CheckedOut(event) => gone(event.lines.into_iter().map(|line| line.sku).collect()),
            CartEvent::OrderRecalled(_) => Vec::new(),
            CartEvent::GivenBack(event) => put_in(event.lines),
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
            LineChange::PutIn { index, line } => Some(grown(row, line, place(recorded, *index))),
            LineChange::Set { quantity, unit_price } => {
                row.map(|row| CartLineRow { quantity: *quantity, unit_price: *unit_price, ..row })
            }
            LineChange::TakenOut { quantity: gone } => row.and_then(|row| {
                let quantity = row.quantity.saturating_sub(*gone);
                (quantity > 0).then_some(CartLineRow { quantity, ..row })
            }),
            LineChange::Gone => None,
        }
    }

    fn columns(_: &str, row: &CartLineRow) -> Vec<Value> {
        vec![text(&row.sku), Value::Integer(row.added)]
    }
}

fn put_in(lines: Vec<CartLine>) -> Vec<(Sku, LineChange)> {
    let lines = lines.into_iter().enumerate();
    lines.map(|(index, line)| (line.sku.clone(), LineChange::PutIn { index, line })).collect()
}

fn taken_out(lines: Vec<CartLine>) -> Vec<(Sku, LineChange)> {
    lines.into_iter().map(|line| (line.sku, LineChange::TakenOut { quantity: line.quantity })).collect()
}

fn gone(skus: Vec<Sku>) -> Vec<(Sku, LineChange)> {
    skus.into_iter().map(|sku| (sku, LineChange::Gone)).collect()
}

fn grown(row: Option<CartLineRow>, line: &CartLine, place: i64) -> CartLineRow {
    let (before, added) = row.map_or((0, place), |row| (row.quantity, row.added));
    CartLineRow {
        sku: line.sku.clone(),
        product: line.product,
        quantity: before.saturating_add(line.quantity),
        unit_price: line.unit_price,
        added,
    }
}

fn place(recorded: &RecordedEvent, index: usize) -> i64 {
    let (revision, index) = (i64::try_from(recorded.revision.0), i64::try_from(index));
    revision.unwrap_or(i64::MAX).saturating_mul(i64::from(PLACES_AN_EVENT)).saturating_add(index.unwrap_or(0))
}

#[cfg(test)]
mod tests;
