//! What operators ask, and what they are told.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// A parked entity that is to be tried again.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"owner": "orders", "entity": "0199c2aa-0000-8000-8000-000000000001"}))]
pub struct RetryRequest {
    /// The read model or process.
    #[schema(min_length = 1, max_length = 64)]
    pub owner: String,
    /// The key or the stream's name.
    #[schema(min_length = 1, max_length = 300)]
    pub entity: String,
}

/// A parked entity whose event is to be passed over.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"owner": "orders", "entity": "0199c2aa-0000-8000-8000-000000000001", "reason": "a carrier that never was"}))]
pub struct SkipRequest {
    /// The read model or process.
    #[schema(min_length = 1, max_length = 64)]
    pub owner: String,
    /// The key or the stream's name.
    #[schema(min_length = 1, max_length = 300)]
    pub entity: String,
    /// Why: 1 to 500 characters.
    #[schema(min_length = 1, max_length = 500, pattern = r"\S")]
    pub reason: String,
    /// The position of an event that stops a rebuild of a read model, where nothing is parked: `souk replay` names it.
    #[serde(default)]
    #[schema(pattern = "^[0-9]{1,18}$", example = "57")]
    pub position: Option<String>,
}

/// An entity that is parked no more.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"owner": "orders", "entity": "0199c2aa-0000-8000-8000-000000000001", "events": 2}))]
pub struct Released {
    /// The read model or process.
    pub owner: String,
    /// The key or the stream's name.
    pub entity: String,
    /// Events that had waited.
    pub events: usize,
}

/// Builds that are to become live.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"builds": [{"name": "orders", "build": 12}]}))]
pub struct SwitchRequest {
    /// 1 to 100, one a read model.
    #[schema(min_items = 1, max_items = 100)]
    pub builds: Vec<BuildShape>,
}

/// A build of a read model.
#[derive(Clone, Debug, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(title = "Build")]
pub struct BuildShape {
    /// The read model.
    #[schema(min_length = 1, max_length = 64)]
    pub name: String,
    /// The build's number.
    pub build: u32,
}

/// Builds are live.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(example = json!({"position": "42"}))]
pub struct Switched {
    /// The position at which they took over.
    pub position: String,
}
