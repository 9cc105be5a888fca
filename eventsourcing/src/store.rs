//! The event-store port: what any engine of the log must do. The suite behind the feature
//! `conformance` holds an engine to it.

use async_trait::async_trait;

use crate::envelope::{NewEvent, RecordedEvent};
use crate::id::{CommandId, CorrelationId, Position, Revision, StreamName};

/// The largest payload of one event, in bytes.
pub const EVENT_BYTES_MAX: usize = 1024 * 1024;
/// The most events in one append.
pub const APPEND_EVENTS_MAX: usize = 4_096;
/// The largest sum of payloads in one append, in bytes.
pub const APPEND_BYTES_MAX: usize = 16 * 1024 * 1024;
/// The most events one read returns.
pub const READ_EVENTS_MAX: usize = 8_192;
/// The sum of payloads, in bytes, with which a page of events ends, however many were asked for.
pub const READ_BYTES_MAX: usize = 32 * 1024 * 1024;

/// What must be so of a stream for an append to happen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expected {
    /// Whatever stands there.
    Any,
    /// The stream has no event yet.
    NoStream,
    /// The stream's last event has this revision.
    Revision(Revision),
}

impl Expected {
    /// That the stream still ends at `last`.
    pub fn from_last(last: Option<Revision>) -> Self {
        last.map_or(Self::NoStream, Self::Revision)
    }
}

/// Events for one stream: all of them are appended, or none.
#[derive(Clone, Debug)]
pub struct Append {
    /// The stream.
    pub stream: StreamName,
    /// What must be so of it.
    pub expected: Expected,
    /// 1 to [`APPEND_EVENTS_MAX`] events; those of one command stand together.
    pub events: Vec<NewEvent>,
}

/// An append that is on disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Appended {
    /// The revision of the first event; the others follow without a gap.
    pub first_revision: Revision,
    /// The position of each event, strictly increasing.
    pub positions: Vec<Position>,
}

/// Where the events of a command stand.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FoundCommand {
    /// The first event of the command.
    pub first: RecordedEvent,
    /// The revision of its last.
    pub last_revision: Revision,
    /// The position of its last.
    pub last_position: Position,
}

/// Why an append did not happen. Nothing of it is in the log.
#[derive(Debug, Clone, thiserror::Error)]
pub enum AppendError {
    /// The stream is not where it was expected.
    #[error("stream {stream} is at revision {current:?}, not where it was expected")]
    Conflict {
        /// The stream.
        stream: StreamName,
        /// Its last revision, when the engine knows it.
        current: Option<Revision>,
    },
    /// One of the events is in the log already: its command was done before.
    #[error("stream {stream} holds an event of this command already")]
    Duplicate {
        /// The stream.
        stream: StreamName,
    },
    /// Over a limit of the port.
    #[error("{what} is {actual}, at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// The log can't be written; it says why. What was asked may be done or not: ask by command id
    /// after a restart.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// What goes wrong with an engine itself.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// Not reachable, busy or out of space: it may answer again. Stable code: `log-unavailable`.
    #[error("the log is unavailable: {0}")]
    Unavailable(String),
    /// Stopped for good, as after a sync that failed: it must be opened again, by a new process. Stable code:
    /// `log-unavailable`.
    #[error("the log has stopped: {0}")]
    Stopped(String),
    /// Damage was found. Stable code: `log-damaged`.
    #[error("the log is damaged: {0}")]
    Damaged(String),
}

impl Append {
    /// Holds the append to the port's limits; every engine calls it first.
    pub fn check_limits(&self) -> Result<(), AppendError> {
        match exceeded(&self.events) {
            Some((what, actual, limit)) => Err(AppendError::TooLarge { what, actual, limit }),
            None => Ok(()),
        }
    }
}

/// The limit that an append of these events exceeds: its name, by what it is exceeded, and the limit.
pub(crate) fn exceeded(events: &[NewEvent]) -> Option<(&'static str, usize, usize)> {
    let largest = events.iter().map(|event| event.data.len()).max().unwrap_or(0);
    let bytes = events.iter().map(|event| event.data.len()).sum();
    let sizes = [
        ("number of events in one append", events.len(), APPEND_EVENTS_MAX),
        ("size of an event in bytes", largest, EVENT_BYTES_MAX),
        ("size of one append in bytes", bytes, APPEND_BYTES_MAX),
    ];
    sizes.into_iter().find(|(_, actual, limit)| actual > limit)
}

/// Whether more events may stand behind a page of a stream that was asked for with this limit.
pub fn is_full_page(page: &[RecordedEvent], limit: usize) -> bool {
    page.len() >= limit || bytes_of(page) >= READ_BYTES_MAX
}

/// The sum of payloads, in bytes.
pub fn bytes_of(page: &[RecordedEvent]) -> usize {
    page.iter().map(|recorded| recorded.event.data.len()).sum()
}

/// Which events a reader wants. It is given every position all the same: see [`Page::reached`].
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Filter {
    /// Wanted event types; `None` wants all.
    pub event_types: Option<Vec<&'static str>>,
    /// The process whose answers are wanted besides, whatever their type. Events without `reply_to` are answers
    /// when the process itself, or a provider, is their actor.
    pub replies_to: Option<&'static str>,
}

impl Filter {
    /// Every event.
    pub fn all() -> Self {
        Self::default()
    }

    /// Events of these types only.
    pub fn types(event_types: impl IntoIterator<Item = &'static str>) -> Self {
        Self { event_types: Some(event_types.into_iter().collect()), replies_to: None }
    }

    /// The same, and all answers to a process.
    pub fn and_replies_to(self, process: &'static str) -> Self {
        Self { replies_to: Some(process), ..self }
    }

    /// Whether the event is wanted.
    pub fn takes(&self, event: &RecordedEvent) -> bool {
        let Some(types) = &self.event_types else { return true };
        if types.iter().any(|wanted| *wanted == event.event_type()) {
            return true;
        }
        let Some(process) = self.replies_to else { return false };
        match &event.event.reply_to {
            Some(reply_to) => reply_to.stream.category() == process,
            None => event.event.actor.is_process(process) || event.event.actor.is_provider(),
        }
    }
}

/// Some events, and how far the read got.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Page {
    /// The wanted events, in order of position.
    pub events: Vec<RecordedEvent>,
    /// Every event up to here was looked at; the next read goes on after it.
    pub reached: Position,
}

/// An append-only log of events in streams.
///
/// What always holds: positions increase strictly and in the order in which events become visible, so
/// that a reader who goes on after [`Page::reached`] never misses one; an acknowledged append is on
/// disk; a failed append leaves nothing; nothing is changed or removed.
#[async_trait]
pub trait EventStore: Send + Sync + 'static {
    /// Appends to one stream: all events or none. Appends that wait together share a commit, and a
    /// conflict of one rolls back no other.
    async fn append(&self, append: Append) -> Result<Appended, AppendError>;

    /// Whether the command has events in the stream, whatever the stream's revision is by now.
    async fn find_command(
        &self,
        stream: &StreamName,
        command: CommandId,
    ) -> Result<Option<FoundCommand>, StoreError>;

    /// Up to `limit` events of a stream from revision `from` on, fewer when their payloads reach
    /// [`READ_BYTES_MAX`]; none when there is no such stream. See [`is_full_page`].
    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError>;

    /// Up to `limit` events that one request set off, after a position, in order of position; fewer when
    /// their payloads reach [`READ_BYTES_MAX`].
    async fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError>;

    /// Looks at up to `limit` events after `after`, fewer when their payloads reach [`READ_BYTES_MAX`],
    /// and returns those the filter takes.
    async fn read_all(&self, after: Position, limit: usize, filter: &Filter) -> Result<Page, StoreError>;

    /// The position of the last event, [`Position::START`] for an empty log.
    async fn head(&self) -> Result<Position, StoreError>;

    /// Returns once the head is beyond `after`: at once, or pushed by the append that moves it.
    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError>;

    /// Whether nobody else can write to this log. Where others may, a state in memory can be stale.
    fn is_exclusive(&self) -> bool;
}
