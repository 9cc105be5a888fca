//! An event as admins see it.

use serde::Serialize;
use serde_json::Value;
use souk_eventsourcing::RecordedEvent;
use utoipa::ToSchema;

/// An event at its place in the log.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(title = "Event")]
#[schema(example = json!({"id": "01a1fd90-c14b-8be2-bf3e-095a97217b25", "stream": "stock-85123A", "revision": 0, "position": "42", "type": "stock.counted", "schemaVersion": 1, "recordedAt": "2026-11-21T10:04:44.747991Z", "actor": "admin:ops", "correlationId": "4f1e2c", "causationId": null, "commandId": "01a1fd90-c14b-89c8-a4a3-2716aaacd32f", "contentType": "application/json", "data": {"onHand": 100}}))]
pub(crate) struct EventAnswer {
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
            data: serde_json::from_slice(&event.data).unwrap_or_else(as_text),
        }
    }
}
