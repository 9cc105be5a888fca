//! Commands on their way to an aggregate, and the port through which they are sent.

use std::sync::Arc;

use async_trait::async_trait;

use crate::decider::{Decider, Rejection};
use crate::envelope::{Origin, RecordedEvent};
use crate::id::{Position, Revision, StreamName};
use crate::store::{FoundCommand, StoreError};

/// The revisions at which a sender saw an aggregate, when the sender insists on them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// Any revision: the aggregate is there.
    Any,
    /// One of these revisions.
    OneOf(Vec<Revision>),
}

impl IfMatch {
    /// Returns true if an aggregate at this revision is one that the sender means; none is an aggregate that is not
    /// there.
    pub fn is_met_by(&self, current: Option<Revision>) -> bool {
        current.is_some_and(|current| match self {
            Self::Any => true,
            Self::OneOf(revisions) => revisions.contains(&current),
        })
    }
}

impl From<Revision> for IfMatch {
    fn from(revision: Revision) -> Self {
        Self::OneOf(vec![revision])
    }
}

/// A command to one stream.
#[derive(Clone, Debug)]
pub struct CommandRequest<C> {
    /// The aggregate's stream.
    pub stream: StreamName,
    /// What is asked for.
    pub command: C,
    /// Who asks, by which id, for which request.
    pub origin: Origin,
    /// Whether the same command id may come again: it is then looked up, and leaves a `noted` event
    /// when it changes nothing.
    pub repeatable: bool,
    /// The revisions at which the sender takes the aggregate, when it insists on some.
    pub if_match: Option<IfMatch>,
    /// Whether the stream's id was derived from this command, so that nobody else can have made it: it
    /// is then not read before the first append.
    pub creates: bool,
}

impl<C> CommandRequest<C> {
    /// A command that comes once and takes the aggregate as it is.
    pub fn new(stream: StreamName, command: C, origin: Origin) -> Self {
        Self { stream, command, origin, repeatable: false, if_match: None, creates: false }
    }

    /// The same, for a command id that may come again.
    pub fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    /// The same, for a stream whose id comes from this command.
    pub fn creating(self) -> Self {
        Self { creates: true, ..self }
    }
}

/// How a command came to be answered as done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// It was decided now and its events are on disk.
    Appended,
    /// It was in force already.
    Unchanged,
    /// It had been done before; revision and position are of then.
    Repeated,
}

/// The answer to a command that was done.
#[derive(Debug)]
pub struct Outcome<D: Decider> {
    /// Revision of the command's last event, or the present one.
    pub revision: Revision,
    /// Position of the command's last event, or that of the stream's last.
    pub position: Position,
    /// How it came to be done.
    pub completion: Completion,
    /// The aggregate as of now.
    pub state: Arc<D::State>,
}

/// An aggregate as of now.
#[derive(Debug)]
pub struct Loaded<D: Decider> {
    /// The folded state.
    pub state: Arc<D::State>,
    /// The stream's last revision.
    pub revision: Revision,
    /// The position of the stream's last event.
    pub position: Position,
}

impl<D: Decider> Clone for Loaded<D> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), ..*self }
    }
}

/// Why a command was not done. Nothing of it is in the log, but for [`CommandError::Store`]: there the
/// answer is not known, and a repeat with the same id finds it out.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommandError<R: Rejection> {
    /// The rules refuse it.
    #[error(transparent)]
    Rejected(R),
    /// The command id was used for another request.
    #[error("the command was sent before with another content")]
    KeyReused,
    /// The aggregate moved on since the sender saw it.
    #[error("the stream is at revision {current:?}")]
    RevisionMismatch {
        /// Where it is now; none when it has no event.
        current: Option<Revision>,
    },
    /// Others wrote to the stream each time it was tried.
    #[error("others changed the stream {attempts} times while the command was decided")]
    Conflict {
        /// How often it was tried.
        attempts: u32,
    },
    /// It decides more than one append holds.
    #[error("{what} is {actual}, at most {limit} are allowed")]
    TooLarge {
        /// What is too large.
        what: &'static str,
        /// How large it is.
        actual: usize,
        /// The limit.
        limit: usize,
    },
    /// The rules panicked on it: a bug of this program. A later program may decide it.
    #[error("the rules could not decide it: {reason}")]
    Undecided {
        /// The panic in words, without values of the command.
        reason: String,
    },
    /// The log failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sends commands to the aggregates of one kind, and loads them.
#[async_trait]
pub trait CommandPort<D: Decider>: Send + Sync + 'static {
    /// Decides the command and answers once its events are on disk.
    async fn execute(
        &self,
        request: CommandRequest<D::Command>,
    ) -> Result<Outcome<D>, CommandError<D::Rejection>>;

    /// Where the events of an earlier command with this id stand; `None` when there was none.
    async fn find(
        &self,
        stream: &StreamName,
        origin: &Origin,
    ) -> Result<Option<FoundCommand>, CommandError<D::Rejection>>;

    /// The aggregate as of now; `None` when its stream has no event.
    async fn load(&self, stream: &StreamName) -> Result<Option<Loaded<D>>, StoreError>;

    /// Up to `limit` events of the aggregate from a revision on, for a command that is made of more than the state
    /// holds. Fewer are no end of the stream.
    async fn events(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError>;
}

impl FoundCommand {
    /// This, when it is of the same request.
    pub fn of_request<R: Rejection>(self, origin: &Origin) -> Result<Self, CommandError<R>> {
        let is_same = self.first.event.request_hash == origin.request_hash;
        if is_same { Ok(self) } else { Err(CommandError::KeyReused) }
    }
}
