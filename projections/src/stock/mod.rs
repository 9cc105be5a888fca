//! Stock by SKU.

mod row;

pub use row::StockRow;

use souk_domain::stock::StockEvent;
use souk_eventsourcing::projector::{Model, Projector, Value};
use souk_eventsourcing::{DecodeError, EventPayload, RecordedEvent};

use crate::integer;

/// The projector.
#[derive(Debug)]
pub struct StockLevels;

impl Projector for StockLevels {
    const MODEL: Model = Model {
        name: "stock",
        version: 1,
        columns: &[integer("on_hand"), integer("reserved"), integer("available")],
        indexes: &[],
        sums: &[],
    };
    type Event = StockEvent;
    type Row = StockRow;

    fn takes() -> Vec<&'static str> {
        StockEvent::event_types().to_vec()
    }

    fn read(event: &RecordedEvent) -> Result<Option<StockEvent>, DecodeError> {
        event.decode().map(Some)
    }

    fn keys(_: &StockEvent, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(
        _: &str,
        row: Option<StockRow>,
        event: &StockEvent,
        recorded: &RecordedEvent,
    ) -> Option<StockRow> {
        let mut row = row.unwrap_or_default();
        row.revision = recorded.revision.0;
        match event {
            StockEvent::Counted(event) => row.on_hand = event.on_hand,
            StockEvent::Adjusted(event) => row.on_hand += event.change,
            StockEvent::Reserved(event) => row.reserved += i64::from(event.quantity),
            StockEvent::Released(event) => row.reserved -= i64::from(event.quantity),
            StockEvent::Expired(event) => row.reserved -= i64::from(event.quantity),
            StockEvent::Confirmed(event) => {
                row.reserved -= i64::from(event.quantity);
                row.on_hand -= i64::from(event.quantity);
            }
            StockEvent::Restocked(event) => row.on_hand += i64::from(event.quantity),
        }
        Some(row)
    }

    fn columns(_: &str, row: &StockRow) -> Vec<Value> {
        [row.on_hand, row.reserved, row.on_hand - row.reserved].map(Value::Integer).to_vec()
    }
}
