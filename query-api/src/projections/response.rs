//! Response body of the status of read models.

use serde::Serialize;
use utoipa::ToSchema;

/// Status of all read models.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Projections")]
#[schema(example = json!({"items": [{"name": "orders", "version": 1, "position": "42", "lag": 0, "state": "LIVE", "parked": 0}], "head": "42"}))]
pub(crate) struct ProjectionsResponse {
    pub(crate) items: Vec<ProjectionResponse>,
    /// Position of the last event in the log.
    #[schema(example = "60")]
    pub(crate) head: String,
}

/// Status of a read model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Projection")]
pub(crate) struct ProjectionResponse {
    #[schema(example = "orders")]
    pub(crate) name: String,
    /// Version of the code that writes the rows. A new version needs a rebuild.
    pub(crate) version: i64,
    /// Log position that the read model has reached.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// Number of events in the log after this position.
    pub(crate) lag: i64,
    pub(crate) state: ProjectionState,
    /// Number of parked entities. They take no events until an operator retries or skips the event that
    /// failed.
    pub(crate) parked: i64,
}

/// State of a read model.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ProjectionState {
    /// It takes new events of the log.
    Live,
    /// A process builds a new version of it, while the live version stays in use.
    Rebuilding,
    /// It takes no events although the log has more.
    Unhealthy,
    /// No process updates it. The output of the process that updated it last says why.
    Stopped,
}
