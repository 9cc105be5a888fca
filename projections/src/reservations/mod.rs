//! Open reservations by `orderId:sku`: what the expiry sweep looks at.

mod row;

pub use row::ReservationRow;

use souk_domain::OrderRef;
use souk_domain::stock::StockEvent;
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

use crate::{integer, text};

/// The projector.
#[derive(Debug)]
pub struct Reservations;

fn order(event: &StockEvent) -> Option<&OrderRef> {
    match event {
        StockEvent::Reserved(event) => Some(&event.order),
        StockEvent::Released(event) => Some(&event.order),
        StockEvent::Expired(event) => Some(&event.order),
        StockEvent::Confirmed(event) => Some(&event.order),
        StockEvent::Counted(_) | StockEvent::Adjusted(_) | StockEvent::Restocked(_) => None,
    }
}

impl Projector for Reservations {
    const MODEL: Model = Model {
        name: "reservations",
        version: 1,
        columns: &[text("sku"), integer("expires_at")],
        indexes: &["expires_at, sku"],
        sums: &[],
    };
    type Event = StockEvent;
    type Row = ReservationRow;

    fn takes() -> Vec<&'static str> {
        vec!["stock.reserved", "stock.released", "stock.expired", "stock.confirmed"]
    }

    fn read(event: &RecordedEvent) -> Result<Option<StockEvent>, DecodeError> {
        event.decode().map(Some)
    }

    fn keys(event: &StockEvent, recorded: &RecordedEvent) -> Vec<String> {
        order(event).map(|order| format!("{order}:{}", recorded.stream.id())).into_iter().collect()
    }

    fn project(
        _: &str,
        _: Option<ReservationRow>,
        event: &StockEvent,
        _: &RecordedEvent,
    ) -> Option<ReservationRow> {
        match event {
            StockEvent::Reserved(event) => {
                Some(ReservationRow { quantity: event.quantity, expires_at: event.expires_at })
            }
            _ => None,
        }
    }

    fn columns(key: &str, row: &ReservationRow) -> Vec<Value> {
        let sku = key.split_once(':').map_or("", |(_, sku)| sku);
        vec![Value::Text(sku.to_owned()), Value::Integer(row.expires_at.as_microsecond())]
    }
}
