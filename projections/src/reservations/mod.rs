//! What is held for orders: one row an open reservation, by `orderId:sku`, for the sweep that expires
//! them. A closed one has no row, so that one which opens and closes in one batch is never written.

mod row;

use souk_domain::stock::{Stock, StockEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::ReservationRow;

use crate::happened::{instant, text};

/// The rules.
#[derive(Debug)]
pub struct Reservations;

impl Projector for Reservations {
    const MODEL: Model = Model {
        name: "reservations",
        version: 1,
        columns: &[
            Column { name: "sku", column_type: ColumnType::Text },
            Column { name: "expires_at", column_type: ColumnType::Integer },
        ],
        indexes: &["expires_at, sku"],
        sums: &[],
    };
    type Event = StockEvent;
    type Row = ReservationRow;

    fn takes() -> Vec<&'static str> {
        <Stock as Decider>::Event::event_types().to_vec()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<StockEvent>, DecodeError> {
        let event = recorded.decode()?;
        let is_about_reservations =
            !matches!(event, StockEvent::Counted(_) | StockEvent::Adjusted(_) | StockEvent::Restocked(_));
        Ok(is_about_reservations.then_some(event))
    }

    fn keys(event: &StockEvent, recorded: &RecordedEvent) -> Vec<String> {
        let order = match event {
            StockEvent::Reserved(event) => &event.order,
            StockEvent::Released(event) => &event.order,
            StockEvent::Confirmed(event) => &event.order,
            StockEvent::Expired(event) => &event.order,
            StockEvent::Counted(_) | StockEvent::Adjusted(_) | StockEvent::Restocked(_) => return Vec::new(),
        };
        vec![format!("{order}:{}", recorded.stream.id())]
    }

    fn project(
        _: &str,
        _: Option<ReservationRow>,
        event: &StockEvent,
        recorded: &RecordedEvent,
    ) -> Option<ReservationRow> {
        match event {
            StockEvent::Reserved(event) => Some(ReservationRow {
                sku: recorded.stream.id().to_owned(),
                quantity: event.quantity,
                expires_at: event.expires_at,
            }),
            _ => None,
        }
    }

    fn columns(_: &str, row: &ReservationRow) -> Vec<Value> {
        vec![text(&row.sku), instant(row.expires_at)]
    }
}

#[cfg(test)]
mod tests;
