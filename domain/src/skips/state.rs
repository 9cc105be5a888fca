//! State of the aggregate `skips`.

use serde::Serialize;
use souk_eventsourcing::parking::Skip;

/// State of the skipped events of one read model or process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SkipsState {
    /// All skipped events, in the order of the decisions.
    pub skipped: Vec<Skip>,
}
