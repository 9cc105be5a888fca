//! The event-store port: the contract that every storage engine of the log fulfils.
//!
//! Invariants: positions increase strictly, in the order in which events become visible. A confirmed append
//! is on disk. A failed append leaves no event. Events are never changed or removed. The test suite behind
//! the feature `conformance` checks an engine against this contract.
//!
//! On failure: [`StoreError`] separates a temporary failure, which may be retried, from a stopped engine and
//! from damaged data.

use async_trait::async_trait;

use crate::envelope::{NewEvent, RecordedEvent};
use crate::id::{CommandId, CorrelationId, Position, Revision, StreamName};

/// Largest payload of one event, in bytes.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// Largest number of events in one append.
pub const APPEND_EVENTS_MAX: usize = 4_096;
/// Largest sum of payloads in one append, in bytes.
pub const APPEND_BYTES_MAX: usize = 16 * 1024 * 1024;
/// Largest number of events that one read returns.
pub const READ_EVENTS_MAX: usize = 8_192;
/// Sum of payloads, in bytes, at which a page of events ends, even if it has fewer events than requested.
pub const READ_BYTES_MAX: usize = 32 * 1024 * 1024;

/// Condition on a stream's last revision. An append fails if the condition is not met.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// No condition.
    Any,
    /// The stream has no event yet.
    NoStream,
    /// The stream's last event has this revision.
    Revision(Revision),
}

impl Expected {
    /// Returns the condition that the stream's last revision is `last`, or for `None` that the stream has no
    /// event.
    pub fn from_last(last: Option<Revision>) -> Self {
        last.map_or(Self::NoStream, Self::Revision)
    }
}

/// Request to append events to one stream. Either all events are appended or none.
#[derive(Clone, Debug)]
pub struct Append {
    /// Stream that receives the events.
    pub stream: StreamName,
    /// Condition on the stream's last revision.
    pub expected: Expected,
    /// Events to append, at most [`APPEND_EVENTS_MAX`]. The events of one command follow each
    /// other directly.
    pub events: Vec<NewEvent>,
}

/// Confirmed append, whose events are on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// Revision of the first event. The other events follow without a gap.
    pub first_revision: Revision,
    /// Position of each event, strictly increasing.
    pub positions: Vec<Position>,
}

/// First and last event of an earlier command in a stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCommand {
    /// First event of the command.
    pub first: RecordedEvent,
    /// Revision of the command's last event.
    pub last_revision: Revision,
    /// Position of the command's last event.
    pub last_position: Position,
}

/// Reason why an append failed. The log holds no event of the append, except perhaps
/// after [`AppendError::Store`].
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The stream does not meet the condition in [`Append::expected`].
    #[error("stream {stream} is at revision {current:?}, which is not the expected revision")]
    Conflict {
        /// Stream of the append.
        stream: StreamName,
        /// Last revision of the stream, if the engine knows it.
        current: Option<Revision>,
    },
    /// The log already holds one of the events, because the command was executed before.
    #[error("stream {stream} already holds an event of this command")]
    Duplicate {
        /// Stream of the append.
        stream: StreamName,
    },
    /// The append exceeds a limit of this port.
    #[error("{what} is {actual}; the limit is {limit}")]
    TooLarge {
        /// Name of the exceeded limit.
        what: &'static str,
        /// Actual size, in the unit that `what` names.
        actual: usize,
        /// Largest allowed size, in the unit that `what` names.
        limit: usize,
    },
    /// The log failed. The events may be on disk or not; look for the command id after a restart.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Failure of the storage engine.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The engine is unreachable, busy or out of space. A retry may succeed. Stable code: `log-unavailable`.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// The engine has stopped, for example after a failed sync. Only a new process can open the log again.
    /// Stable code: `log-unavailable`.
    #[error("the log has stopped: {0}")]
    Stopped(String),
    /// The engine found damaged data. Stable code: `log-damaged`.
    #[error("the log is damaged: {0}")]
    Damaged(String),
}

impl Append {
    /// Checks the append against the limits of this port. Every engine calls this function first.
    pub fn check_limits(&self) -> Result<(), AppendError> {
        match exceeded_limit(&self.events) {
            Some((what, actual, limit)) => Err(AppendError::TooLarge { what, actual, limit }),
            None => Ok(()),
        }
    }
}

/// Returns the first limit that an append of these events exceeds: its name, the actual size, and the limit.
pub(crate) fn exceeded_limit(events: &[NewEvent]) -> Option<(&'static str, usize, usize)> {
    let largest = events.iter().map(|event| event.data.len()).max().unwrap_or(0);
    let bytes = events.iter().map(|event| event.data.len()).sum();
    let sizes = [
        ("number of events in one append", events.len(), APPEND_EVENTS_MAX),
        ("size of an event in bytes", largest, EVENT_BYTES_MAX),
        ("size of one append in bytes", bytes, APPEND_BYTES_MAX),
    ];
    sizes.into_iter().find(|(_, actual, limit)| actual > limit)
}

/// Returns true if the stream may have more events after `page`, which was read with this limit.
pub fn is_full_page(page: &[RecordedEvent], limit: usize) -> bool {
    page.len() >= limit || bytes_of(page) >= READ_BYTES_MAX
}

/// Returns the sum of the payloads of a page, in bytes.
pub fn bytes_of(page: &[RecordedEvent]) -> usize {
    page.iter().map(|recorded| recorded.event.data.len()).sum()
}

/// Selection of the events that a reader needs. The reader also learns how far the log was read, even if no
/// event matched: see [`Page::reached`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filter {
    /// Event types that match; `None` matches all types.
    pub event_types: Option<Vec<&'static str>>,
    /// Process whose answers match too, whatever their event type. An event without `reply_to` counts as an
    /// answer if its actor is the process itself or a provider.
    pub replies_to: Option<&'static str>,
}

impl Filter {
    /// Makes a filter that matches every event.
    pub fn all() -> Self {
        Self::default()
    }

    /// Makes a filter that matches events of these types.
    pub fn types(event_types: impl IntoIterator<Item = &'static str>) -> Self {
        Self { event_types: Some(event_types.into_iter().collect()), replies_to: None }
    }

    /// Extends the filter to all answers to a process.
    pub fn and_replies_to(self, process: &'static str) -> Self {
        Self { replies_to: Some(process), ..self }
    }

    /// Returns true if the event matches.
    pub fn matches(&self, event: &RecordedEvent) -> bool {
        let Some(types) = &self.event_types else { return true };
        if types.iter().any(|event_type| *event_type == event.event_type()) {
            return true;
        }
        let Some(process) = self.replies_to else { return false };
        match &event.event.reply_to {
            Some(reply_to) => reply_to.stream.category() == process,
            None => event.event.actor.is_process(process) || event.event.actor.is_provider(),
        }
    }
}

/// Events of one read of the log, and the position up to which the log was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// Matching events, in order of position.
    pub events: Vec<RecordedEvent>,
    /// Position up to which every event was compared with the filter. The next read continues after it.
    pub reached: Position,
}

/// Append-only log of events in streams.
///
/// A reader that continues after [`Page::reached`] misses no event, because positions increase in the order
/// in which events become visible.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Appends all events to the stream, or none. Concurrent appends may share a commit. A conflict in one of
    /// them does not roll back the others.
    async fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// Finds the first and the last event of a command in a stream. Returns `None` if the stream has no event
    /// of the command. Finds it also if the stream has later events.
    async fn find_command(
        &self,
        stream: &StreamName,
        command: CommandId,
    ) -> Result<Option<FoundCommand>, StoreError>;

    /// Returns up to `limit` events of a stream, starting at revision `from`. The page ends earlier if its
    /// payloads reach [`READ_BYTES_MAX`], and is empty if the stream does not exist. See [`is_full_page`].
    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError>;

    /// Returns up to `limit` events with this correlation id after position `after`, in order of position.
    /// The page ends earlier if its payloads reach [`READ_BYTES_MAX`].
    async fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError>;

    /// Reads up to `limit` events after position `after`, and returns the events that match the filter. The
    /// read ends earlier if the payloads reach [`READ_BYTES_MAX`].
    async fn read_all(&self, after: Position, limit: usize, filter: &Filter) -> Result<Page, StoreError>;

    /// Returns the position of the last event; [`Position::START`] for an empty log.
    async fn head(&self) -> Result<Position, StoreError>;

    /// Waits until the head of the log is after position `after`, and returns the head. The append that moves
    /// the head wakes the caller.
    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError>;

    /// Returns true if no other process can write to this log. If another process can, a state in memory may
    /// be out of date.
    fn is_exclusive(&self) -> bool;
}
