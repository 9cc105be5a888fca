//! Read models as operators see them.

use serde::Serialize;
use utoipa::ToSchema;

/// All read models.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Projections")]
#[schema(example = json!({"items": [{"name": "orders", "version": 1, "position": "42", "lag": 0, "state": "LIVE", "parked": 0}], "head": "42"}))]
pub(crate) struct ProjectionsAnswer {
    pub(crate) items: Vec<ProjectionAnswer>,
    /// The position of the log's last event.
    #[schema(example = "60")]
    pub(crate) head: String,
}

/// A read model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(title = "Projection")]
pub(crate) struct ProjectionAnswer {
    #[schema(example = "orders")]
    pub(crate) name: String,
    pub(crate) version: i64,
    /// How far it is.
    #[schema(example = "57")]
    pub(crate) position: String,
    /// Events between it and the log's head.
    pub(crate) lag: i64,
    pub(crate) state: ProjectionState,
    /// Entities that can't be brought further.
    pub(crate) parked: i64,
}

/// What a read model is doing.
#[derive(Clone, Copy, Debug, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
pub(crate) enum ProjectionState {
    /// It follows the log.
    Live,
    /// A process builds it beside the live one.
    Rebuilding,
    /// It stands still while the log has more for it.
    Unhealthy,
    /// No process brings it further; the log of the one that last did says why.
    Stopped,
}
