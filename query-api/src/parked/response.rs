//! A parked entity as operators see it.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// The kind of a parked entity: `key` for a row or an instance, `stream` for a stream that can't be read and all that
/// it touched.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(example = "key")]
pub(crate) enum ParkedKind {
    Key,
    Stream,
}

/// An entity that is parked.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Parked")]
#[schema(example = json!({"owner": "orders", "kind": "key", "entity": "0199c2aa-0000-8000-8000-000000000001", "stream": "order-0199c2aa-0000-8000-8000-000000000001", "revision": 3, "position": "57", "error": "missing field `carrier`", "events": 2, "since": "2026-11-21T10:04:44.747991Z"}))]
pub(crate) struct ParkedAnswer {
    /// The read model or process.
    #[schema(example = "orders")]
    pub(crate) owner: String,
    pub(crate) kind: ParkedKind,
    /// The key or the stream's name.
    pub(crate) entity: String,
    /// The stream of the event it is parked from.
    pub(crate) stream: String,
    /// That event's revision.
    pub(crate) revision: i64,
    /// That event's position.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// Why it can't be applied.
    pub(crate) error: String,
    /// How many events wait, that one included.
    pub(crate) events: i64,
    /// When it was parked.
    #[schema(format = DateTime)]
    pub(crate) since: String,
}
