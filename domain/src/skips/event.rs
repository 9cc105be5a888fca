//! Events of the aggregate `skips`.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;
use souk_eventsourcing::parking::Skip;

/// An operator decided that an event is skipped.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// The event, and the row or instance that skips it. If none is named, all skip it.
    pub skip: Skip,
    /// Reason, as the operator entered it.
    pub reason: String,
}

event_enum! {
    /// Events of the skips of one read model or process.
    pub enum SkipsEvent {
        Skipped = "skips.skipped" v 1,
    }
}
