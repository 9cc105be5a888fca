//! Commands to the aggregate `skips`.

use souk_eventsourcing::parking::Skip;

/// A command to the skipped events of one read model or process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipsCommand {
    /// Skips an event.
    Skip {
        /// The event, and the row or instance that skips it. If none is named, all skip it.
        skip: Skip,
        /// Reason, as the operator entered it.
        reason: String,
    },
}
