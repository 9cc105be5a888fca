//! What can be asked of what is skipped.

use souk_eventsourcing::parking::Skip;

/// A command to the skips of one read model or process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SkipsCommand {
    /// Passes an event over.
    Skip {
        /// Which, and for what.
        skip: Skip,
        /// Why, in somebody's words.
        reason: String,
    },
}
