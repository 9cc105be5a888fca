//! Read model of stock levels: one row per SKU that was ever counted, by SKU.

mod row;

use souk_domain::stock::{Stock, StockEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{DecodeError, RecordedEvent};

pub use row::StockRow;

use crate::stream_event::{self, StreamEvent, instant};

/// Projector of the read model of stock levels.
#[derive(Debug)]
pub struct StockLevels;

impl Projector for StockLevels {
    const MODEL: Model = Model {
        name: "stock",
        version: 1,
        columns: &[
            Column { name: "on_hand", column_type: ColumnType::Integer },
            Column { name: "reserved", column_type: ColumnType::Integer },
            Column { name: "created_at", column_type: ColumnType::Integer },
        ],
        indexes: &["created_at, key"],
        sums: &[],
    };
    type Event = StreamEvent<StockEvent>;
    type Row = StockRow;

    fn event_types() -> Vec<&'static str> {
        stream_event::event_types::<Stock>()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Self::Event>, DecodeError> {
        stream_event::read::<Stock>(recorded)
    }

    fn keys(_: &Self::Event, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.id().to_owned()]
    }

    fn project(
        _: &str,
        row: Option<StockRow>,
        event: &Self::Event,
        recorded: &RecordedEvent,
    ) -> Option<StockRow> {
        let revision = recorded.revision.0;
        let event = match event {
            StreamEvent::Noted => return row.map(|row| StockRow { revision, ..row }),
            StreamEvent::Event(event) => event,
        };
        let empty = || StockRow { on_hand: 0, reserved: 0, revision, created_at: recorded.event.recorded_at };
        let mut row = row.unwrap_or_else(empty);
        row.revision = revision;
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
        vec![Value::Integer(row.on_hand), Value::Integer(row.reserved), instant(row.created_at)]
    }
}

#[cfg(test)]
mod tests;
