//! Request and response bodies of maintenance.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A parked entity to retry.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"owner": "orders", "entity": "0199c2aa-0000-8000-8000-000000000001"}))]
pub struct RetryRequest {
    /// Name of the read model or process.
    #[schema(min_length = 1, max_length = 64)]
    pub owner: String,
    /// Key of the row, or name of the stream, that is parked.
    #[schema(min_length = 1, max_length = 300)]
    pub entity: String,
}

/// A parked entity whose event is to be skipped.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"owner": "orders", "entity": "0199c2aa-0000-8000-8000-000000000001", "reason": "a carrier that never was"}))]
pub struct SkipRequest {
    /// Name of the read model or process.
    #[schema(min_length = 1, max_length = 64)]
    pub owner: String,
    /// Key of the row, or name of the stream, that is parked.
    #[schema(min_length = 1, max_length = 300)]
    pub entity: String,
    /// Reason for skipping the event: 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub reason: String,
    /// Position of an event that stops a rebuild, if the live read model has nothing parked. `souk replay`
    /// prints it.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{1,18}$", example = "57")]
    pub position: Option<String>,
}

/// An entity that is no longer parked.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"owner": "orders", "entity": "0199c2aa-0000-8000-8000-000000000001", "events": 2}))]
pub struct Released {
    /// Name of the read model or process.
    pub owner: String,
    /// Key of the row, or name of the stream, that is parked.
    pub entity: String,
    /// Number of events that were waiting for the entity.
    pub events: usize,
}

/// Builds to make live.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"builds": [{"name": "orders", "build": 12}]}))]
pub struct SwitchRequest {
    /// 1 to 100 builds, at most one for each read model.
    #[schema(min_items = 1, max_items = 100)]
    pub builds: Vec<BuildShape>,
}

/// A build of a read model.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "Build")]
pub struct BuildShape {
    /// Name of the read model.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// Number of the build.
    pub build: u32,
}

/// The result of making builds live.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"position": "42"}))]
pub struct Switched {
    /// Position of the log at which the builds took over.
    pub position: String,
}
