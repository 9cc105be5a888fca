//! Response bodies of the log browser: events, streams and trees of events.

use serde::Serialize;
use serde_json::Value;
use souk_eventsourcing::RecordedEvent;
use utoipa::ToSchema;

use crate::parked::response::ParkedKind;

/// Event of the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Event")]
#[schema(example = json!({"id": "01a1fd90-c14b-8be2-bf3e-095a97217b25", "stream": "stock-85123A", "revision": 0, "position": "42", "type": "stock.counted", "schemaVersion": 1, "recordedAt": "2026-11-21T10:04:44.747991Z", "actor": "admin:ops", "correlationId": "4f1e2c", "causationId": null, "commandId": "01a1fd90-c14b-89c8-a4a3-2716aaacd32f", "contentType": "application/json", "data": {"onHand": 100}}))]
pub struct EventResponse {
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
    /// Kind and id of the caller or process that sent the command.
    #[schema(example = "process:checkout")]
    actor: String,
    /// Correlation id of the request that caused the event.
    correlation_id: String,
    /// Id of the event that caused this event.
    causation_id: Option<String>,
    command_id: String,
    content_type: String,
    /// Payload of the event; a text if it is not JSON.
    #[schema(value_type = Object)]
    data: Value,
}

impl From<RecordedEvent> for EventResponse {
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

/// Fields of payloads and states that are never shown. Older logs have keyed hashes of e-mail addresses: a
/// reader could compare the hash of an erased account with the hash of another account.
const HIDDEN_FIELDS: [&str; 1] = ["emailHash"];

/// Removes the hidden fields from a payload or state.
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

/// Events of a stream up to a position or time, with the state of its aggregate at that point.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Stream")]
#[schema(example = json!({"items": [{"id": "01a1fd90-c14b-8be2-bf3e-095a97217b25", "stream": "stock-85123A", "revision": 0, "position": "42", "type": "stock.counted", "schemaVersion": 1, "recordedAt": "2026-11-21T10:04:44.747991Z", "actor": "admin:ops", "correlationId": "4f1e2c", "causationId": null, "commandId": "01a1fd90-c14b-89c8-a4a3-2716aaacd32f", "contentType": "application/json", "data": {"onHand": 100}}], "nextCursor": null, "position": "57", "revision": 0, "state": {"counted": true, "onHand": 100, "reserved": 0}}))]
pub(crate) struct StreamResponse {
    /// At most `limit` events, in the order of their revisions.
    pub(crate) items: Vec<EventResponse>,
    /// Value of `?cursor=` for the next page; null on the last page.
    pub(crate) next_cursor: Option<String>,
    /// Position of the last event in the log, read before the events.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// Revision of the last event up to that position or time.
    pub(crate) revision: u64,
    /// State of the aggregate at that position or time. Null for a process, because its state comes from
    /// other streams, and for a stream of more than 100,000 events.
    #[schema(value_type = Option<Object>)]
    pub(crate) state: Value,
}

/// Tree of the events that one request caused.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Correlation")]
#[schema(example = json!({"correlationId": "4f1e2c", "events": 1, "isWhole": true, "items": [{"event": {"id": "01a1fd90-c14b-8be2-bf3e-095a97217b25", "stream": "stock-85123A", "revision": 0, "position": "42", "type": "stock.counted", "schemaVersion": 1, "recordedAt": "2026-11-21T10:04:44.747991Z", "actor": "admin:ops", "correlationId": "4f1e2c", "causationId": null, "commandId": "01a1fd90-c14b-89c8-a4a3-2716aaacd32f", "contentType": "application/json", "data": {"onHand": 100}}, "outputs": [], "parked": [], "children": []}]}))]
pub(crate) struct CorrelationResponse {
    /// Correlation id of the request.
    pub(crate) correlation_id: String,
    /// Number of events in the tree.
    pub(crate) events: usize,
    /// True if the tree has all events that the request caused. A tree has at most 10,000 events with 4 MiB
    /// of data.
    pub(crate) is_whole: bool,
    /// Events of the request itself, each with the events that it caused.
    pub(crate) items: Vec<NodeResponse>,
}

/// Event with its effects: outputs of processes, and further events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Caused")]
pub(crate) struct NodeResponse {
    pub(crate) event: EventResponse,
    /// Outputs that a process decided on after the event.
    pub(crate) outputs: Vec<OutcomeResponse>,
    /// Parked entities that could not apply the event.
    pub(crate) parked: Vec<ParkedHere>,
    /// Events that this event caused.
    #[schema(no_recursion)]
    pub(crate) children: Vec<NodeResponse>,
}

/// Output of a process: a command, an effect or a timer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Output")]
pub(crate) struct OutcomeResponse {
    pub(crate) kind: OutputKind,
    /// Name of the output.
    #[schema(example = "reserve")]
    pub(crate) step: String,
    /// Number of the order line or of the attempt that the output belongs to.
    pub(crate) number: Option<u32>,
    /// Time at which a timer fires; null for commands and effects.
    #[schema(format = DateTime)]
    pub(crate) at: Option<String>,
    /// Result of a command or timer; null while it is open. Always null for effects, because their results
    /// are events.
    pub(crate) answer: Option<OutputEnd>,
    /// Problem code of a refused command.
    pub(crate) code: Option<String>,
}

/// Kind of an output of a process.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "command")]
pub(crate) enum OutputKind {
    Command,
    Effect,
    Timer,
}

/// Result of an output: a command was done, changed nothing, or was refused; a timer fired.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "done")]
pub(crate) enum OutputEnd {
    Done,
    Unchanged,
    Refused,
    Fired,
}

/// Parked entity that could not apply an event.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(title = "ParkedHere")]
pub(crate) struct ParkedHere {
    /// Name of the read model or process.
    pub(crate) owner: String,
    pub(crate) kind: ParkedKind,
    /// Key of the row or instance, or name of the stream.
    pub(crate) entity: String,
    /// Error when the event was applied.
    pub(crate) error: String,
}
