//! What can happen to what is skipped.

use serde::{Deserialize, Serialize};
use souk_eventsourcing::event_enum;
use souk_eventsourcing::parking::Skip;

/// An event is passed over.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Skipped {
    /// Which, and for what.
    pub skip: Skip,
    /// Why.
    pub reason: String,
}

event_enum! {
    /// What happens to the skips of a read model or process.
    pub enum SkipsEvent {
        Skipped = "skips.skipped" v 1,
    }
}
