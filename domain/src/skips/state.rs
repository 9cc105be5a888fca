//! What is skipped.

use serde::Serialize;
use souk_eventsourcing::parking::Skip;

/// The state of the skips of a read model or process.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct SkipsState {
    /// All of them, in the order of their decision.
    pub skipped: Vec<Skip>,
}
