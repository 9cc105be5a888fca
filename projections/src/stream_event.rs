//! Functions that the projectors share: reading the events of an aggregate, and making column values.

use souk_domain::Currency;
use souk_eventsourcing::envelope::NOTED;
use souk_eventsourcing::projector::Value;
use souk_eventsourcing::{Decider, DecodeError, EventPayload, RecordedEvent, Timestamp};

/// Event on a stream of an aggregate.
pub enum StreamEvent<E> {
    /// Event of the aggregate itself.
    Event(E),
    /// `noted` event: a repeatable command changed nothing. It raises the stream's revision. A read model
    /// that shows the revision must follow, since a client's `If-Match` with the old revision would always
    /// fail.
    Noted,
}

/// Returns the event types of an aggregate, and the type of `noted` events.
pub(crate) fn event_types<D: Decider>() -> Vec<&'static str> {
    D::Event::event_types().iter().copied().chain([NOTED]).collect()
}

/// Decodes an event of an aggregate's stream. Returns `None` for a `noted` event of another category.
pub(crate) fn read<D: Decider>(
    recorded: &RecordedEvent,
) -> Result<Option<StreamEvent<D::Event>>, DecodeError> {
    if recorded.is_noted() {
        return Ok((recorded.stream.category() == D::CATEGORY).then_some(StreamEvent::Noted));
    }
    recorded.decode().map(StreamEvent::Event).map(Some)
}

/// Returns an instant as a column value: microseconds since 1970.
pub(crate) fn instant(at: Timestamp) -> Value {
    Value::Integer(at.as_microsecond())
}

/// Returns the key of a sum by currency and UTC day, as in `GBP:2026-11-21`.
pub(crate) fn money_day(currency: Currency, at: Timestamp) -> String {
    format!("{}:{}", currency.code(), at.strftime("%Y-%m-%d"))
}

/// Returns a text as a column value.
pub(crate) fn text(value: &(impl ToString + ?Sized)) -> Value {
    Value::Text(value.to_string())
}
