//! Read model of open stock reservations: one row per reservation, by `orderId:sku`. A sweep reads it to
//! expire overdue reservations.
//!
//! A closed reservation has no row. A reservation that is opened and closed in one batch is therefore never
//! written.

mod row;

use souk_domain::stock::{Stock, StockEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::ReservationRow;

use crate::stream_event::{instant, text};

/// Projector of the read model of open stock reservations.
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

    fn event_types() -> Vec<&'static str> {
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
