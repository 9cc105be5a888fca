//! Response body of a parked entity.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Kind of a parked entity: `key` for a row of a read model or an instance of a process, `stream` for a
/// stream that can't be read, with all rows or instances that it has changed.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "key")]
pub(crate) enum ParkedKind {
    Key,
    Stream,
}

/// Parked entity: a read model or process could not apply one of its events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Parked")]
#[schema(example = json!({"owner": "orders", "kind": "key", "entity": "0199c2aa-0000-8000-8000-000000000001", "stream": "order-0199c2aa-0000-8000-8000-000000000001", "revision": 3, "position": "57", "error": "missing field `carrier`", "events": 2, "since": "2026-11-21T10:04:44.747991Z"}))]
pub(crate) struct ParkedResponse {
    /// Name of the read model or process.
    #[schema(example = "orders")]
    pub(crate) owner: String,
    pub(crate) kind: ParkedKind,
    /// Key of the row or instance, or name of the stream.
    pub(crate) entity: String,
    /// Stream of the event that could not be applied.
    pub(crate) stream: String,
    /// Revision of that event.
    pub(crate) revision: i64,
    /// Log position of that event.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// Error when that event was applied.
    pub(crate) error: String,
    /// Number of events that wait for the entity, including that event.
    pub(crate) events: i64,
    /// Time at which the entity was parked.
    #[schema(format = DateTime)]
    pub(crate) since: String,
}
