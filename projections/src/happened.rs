//! What the events of an aggregate's streams are to its read models.

use souk_domain::Currency;
use souk_eventsourcing::envelope::NOTED;
use souk_eventsourcing::projector::Value;
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent, Timestamp};

/// What happened to a stream.
pub enum Happened<E> {
    /// One of the aggregate's own events.
    Event(E),
    /// A keyed command changed nothing. Only the stream's revision moved on; a read model that shows
    /// the revision follows, or else `If-Match` could never be met again.
    Noted,
}

/// The types of an aggregate's events, and the mark of a command that changed nothing.
pub(crate) fn takes<D: Decider>() -> Vec<&'static str> {
    D::Event::event_types().iter().copied().chain([NOTED]).collect()
}

/// Reads an event of the aggregate's streams; `None` for a mark in a stream of another category.
pub(crate) fn read<D: Decider>(recorded: &RecordedEvent) -> Result<Option<Happened<D::Event>>, DecodeError> {
    if recorded.is_noted() {
        return Ok((recorded.stream.category() == D::CATEGORY).then_some(Happened::Noted));
    }
    recorded.decode().map(Happened::Event).map(Some)
}

/// An instant as a column holds it: microseconds since 1970.
pub(crate) fn instant(at: Timestamp) -> Value {
    Value::Integer(at.as_microsecond())
}

/// The key of a sum by currency and UTC day, as in `GBP:2026-11-21`.
pub(crate) fn money_day(currency: Currency, at: Timestamp) -> String {
    format!("{}:{}", currency.code(), at.strftime("%Y-%m-%d"))
}

/// A text column.
pub(crate) fn text(value: &(impl ToString + ?Sized)) -> Value {
    Value::Text(value.to_string())
}
