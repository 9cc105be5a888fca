//! Read model of the notes on orders: one row per note, by note id. A removed note has no row.

mod row;

use souk_domain::order_notes::{self, OrderNotesEvent};
use souk_eventsourcing::projector::{Column, ColumnType, Model, Projector, Value};
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent};

pub use row::{OrderNoteRow, Rewriting};

use crate::stream_event::text;

/// Projector of the read model of notes on orders.
#[derive(Debug)]
pub struct OrderNotes;

impl Projector for OrderNotes {
    const MODEL: Model = Model {
        name: "order_notes",
        version: 1,
        columns: &[
            Column { name: "order_id", column_type: ColumnType::Text },
            Column { name: "number", column_type: ColumnType::Integer },
        ],
        indexes: &["order_id, number"],
        sums: &[],
    };
    type Event = OrderNotesEvent;
    type Row = OrderNoteRow;

    fn event_types() -> Vec<&'static str> {
        <order_notes::OrderNotes as Decider>::Event::event_types().to_vec()
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<OrderNotesEvent>, DecodeError> {
        recorded.decode().map(Some)
    }

    fn keys(event: &OrderNotesEvent, _: &RecordedEvent) -> Vec<String> {
        let note = match event {
            OrderNotesEvent::Written(event) => event.note,
            OrderNotesEvent::Rewritten(event) => event.note,
            OrderNotesEvent::Removed(event) => event.note,
            OrderNotesEvent::Resealed(event) => event.note,
        };
        vec![note.to_string()]
    }

    fn project(
        _: &str,
        row: Option<OrderNoteRow>,
        event: &OrderNotesEvent,
        recorded: &RecordedEvent,
    ) -> Option<OrderNoteRow> {
        let at = recorded.event.recorded_at;
        match event {
            OrderNotesEvent::Written(event) => Some(OrderNoteRow {
                order: recorded.stream.id().to_owned(),
                number: recorded.revision.0,
                author: event.author.clone(),
                text: event.text.clone(),
                written_at: at,
                rewritten: None,
            }),
            OrderNotesEvent::Rewritten(event) => row.map(|row| OrderNoteRow {
                text: event.text.clone(),
                rewritten: Some(Rewriting { author: event.author.clone(), at }),
                ..row
            }),
            OrderNotesEvent::Removed(_) => None,
            OrderNotesEvent::Resealed(event) => {
                row.map(|row| OrderNoteRow { text: event.text.clone(), ..row })
            }
        }
    }

    fn columns(_: &str, row: &OrderNoteRow) -> Vec<Value> {
        vec![text(&row.order), Value::Integer(i64::try_from(row.number).unwrap_or(i64::MAX))]
    }
}

#[cfg(test)]
mod tests;
