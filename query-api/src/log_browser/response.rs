//! Events, streams and what one request set off, as admins see them.

use serde::Serialize;
use serde_json::Value;
use souk_eventsourcing::RecordedEvent;
use utoipa::ToSchema;

use crate::parked::response::ParkedKind;

/// An event at its place in the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Event")]
#[schema(example = json!({"id": "01a1fd90-c14b-8be2-bf3e-095a97217b25", "stream": "stock-85123A", "revision": 0, "position": "42", "type": "stock.counted", "schemaVersion": 1, "recordedAt": "2026-11-21T10:04:44.747991Z", "actor": "admin:ops", "correlationId": "4f1e2c", "causationId": null, "commandId": "01a1fd90-c14b-89c8-a4a3-2716aaacd32f", "contentType": "application/json", "data": {"onHand": 100}}))]
pub struct EventAnswer {
    id: String,
    #[schema(example = "stock-85123A")]
    stream: String,
    revision: u64,
    #[schema(example = "42")]
    position: String,
    #[serde(rename = "type")]
    #[schema(example = "stock.reserved")]
    event_type: String,
    schema_version: u16,
    #[schema(format = DateTime)]
    recorded_at: String,
    /// Who asked.
    #[schema(example = "process:checkout")]
    actor: String,
    /// The request that set it off.
    correlation_id: String,
    /// The event that led to it.
    causation_id: Option<String>,
    command_id: String,
    content_type: String,
    /// The payload; a text when it isn't JSON.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<RecordedEvent> for EventAnswer {
    fn from(recorded: RecordedEvent) -> Self {
        let event = recorded.event;
        let as_text = |_| Value::String(String::from_utf8_lossy(&event.data).into_owned());
        Self {
            id: event.id.to_string(),
            stream: recorded.stream.to_string(),
            revision: recorded.revision.0,
            position: recorded.position.to_string(),
            event_type: event.event_type.to_string(),
            schema_version: event.schema_version,
            recorded_at: event.recorded_at.to_string(),
            actor: event.actor.to_string(),
            correlation_id: event.correlation_id.to_string(),
            causation_id: event.causation_id.map(|id| id.to_string()),
            command_id: event.command_id.to_string(),
            content_type: event.content_type.to_string(),
            data: serde_json::from_slice(&event.data).map_or_else(as_text, without_hidden),
        }
    }
}

/// Fields of payloads and states that nobody is shown: by the keyed hash of an e-mail address, which older logs
/// hold, an account that is erased could be compared with another.
const HIDDEN_FIELDS: [&str; 1] = ["emailHash"];

/// Takes out what nobody is shown.
pub(crate) fn without_hidden(mut value: Value) -> Value {
    fn hide(value: &mut Value) {
        match value {
            Value::Object(fields) => {
                fields.retain(|name, _| !HIDDEN_FIELDS.contains(&name.as_str()));
                fields.values_mut().for_each(hide);
            }
            Value::Array(items) => items.iter_mut().for_each(hide),
            _ => {}
        }
    }
    hide(&mut value);
    value
}

/// A stream up to a position or time, and its aggregate as of then.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Stream")]
#[schema(example = json!({"items": [{"id": "01a1fd90-c14b-8be2-bf3e-095a97217b25", "stream": "stock-85123A", "revision": 0, "position": "42", "type": "stock.counted", "schemaVersion": 1, "recordedAt": "2026-11-21T10:04:44.747991Z", "actor": "admin:ops", "correlationId": "4f1e2c", "causationId": null, "commandId": "01a1fd90-c14b-89c8-a4a3-2716aaacd32f", "contentType": "application/json", "data": {"onHand": 100}}], "nextCursor": null, "position": "57", "revision": 0, "state": {"counted": true, "onHand": 100, "reserved": 0}}))]
pub(crate) struct StreamAnswer {
    /// At most `limit`.
    pub(crate) items: Vec<EventAnswer>,
    /// Gives the next page as `?cursor=`; null on the last.
    pub(crate) next_cursor: Option<String>,
    /// The log's head, read before the events.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// The revision of the stream's last event as of then.
    pub(crate) revision: u64,
    /// What the aggregate's decisions know as of then; null for a process, whose state comes from other
    /// streams, and for a stream too long to fold here.
    #[schema(value_type = Option<Object>)]
    pub(crate) state: Value,
}

/// What one request set off.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Correlation")]
#[schema(example = json!({"correlationId": "4f1e2c", "events": 1, "isWhole": true, "items": [{"event": {"id": "01a1fd90-c14b-8be2-bf3e-095a97217b25", "stream": "stock-85123A", "revision": 0, "position": "42", "type": "stock.counted", "schemaVersion": 1, "recordedAt": "2026-11-21T10:04:44.747991Z", "actor": "admin:ops", "correlationId": "4f1e2c", "causationId": null, "commandId": "01a1fd90-c14b-89c8-a4a3-2716aaacd32f", "contentType": "application/json", "data": {"onHand": 100}}, "outputs": [], "parked": [], "children": []}]}))]
pub(crate) struct CorrelationAnswer {
    /// The request.
    pub(crate) correlation_id: String,
    /// How many events it set off by now.
    pub(crate) events: usize,
    /// True if all of them are shown: at most 10,000 are, with at most 4 MiB of data.
    pub(crate) is_whole: bool,
    /// The events of the request itself, with all that came of them.
    pub(crate) items: Vec<NodeAnswer>,
}

/// An event and what it led to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Caused")]
pub(crate) struct NodeAnswer {
    pub(crate) event: EventAnswer,
    /// What a process decided with it.
    pub(crate) outputs: Vec<OutcomeAnswer>,
    /// Who can't take it.
    pub(crate) parked: Vec<ParkedHere>,
    /// The events that it led to.
    #[schema(no_recursion)]
    pub(crate) children: Vec<NodeAnswer>,
}

/// Something a process asked for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Output")]
pub(crate) struct OutcomeAnswer {
    pub(crate) kind: OutputKind,
    /// What was asked for.
    #[schema(example = "reserve")]
    pub(crate) step: String,
    /// The number of the line or attempt it is about.
    pub(crate) number: Option<u32>,
    /// When a timer fires.
    #[schema(format = DateTime)]
    pub(crate) at: Option<String>,
    /// Null while it is open, and for effects, whose answers are events.
    pub(crate) answer: Option<OutputEnd>,
    /// The code of a refusal.
    pub(crate) code: Option<String>,
}

/// The kind of something that a process asked for.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "command")]
pub(crate) enum OutputKind {
    Command,
    Effect,
    Timer,
}

/// The end of something that a process asked for: a command is done, finds nothing to do or is refused; a timer
/// fires.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "done")]
pub(crate) enum OutputEnd {
    Done,
    Unchanged,
    Refused,
    Fired,
}

/// Who stands before an event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(title = "ParkedHere")]
pub(crate) struct ParkedHere {
    /// The read model or process.
    pub(crate) owner: String,
    pub(crate) kind: ParkedKind,
    /// The key or the stream's name.
    pub(crate) entity: String,
    /// Why.
    pub(crate) error: String,
}
