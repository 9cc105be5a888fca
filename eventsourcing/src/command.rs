//! Commands to aggregates, and the port that sends them.
//!
//! Invariants: a successful command is answered only after its events are on disk. A command that fails
//! leaves nothing in the log, with one exception: after [`CommandError::Store`] the result is unknown.
//!
//! On failure: the sender repeats the command under the same id. The repeat finds the events of the first
//! attempt, if there are any, and is answered with them.

use std::sync::Arc;

use async_trait::async_trait;

use crate::decider::{Decider, Rejection};
use crate::envelope::{Origin, RecordedEvent};
use crate::id::{Position, Revision, StreamName};
use crate::store::{FoundCommand, StoreError};

/// Condition on the current revision of an aggregate, as in the HTTP header `If-Match`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum IfMatch {
    /// The aggregate exists, at any revision.
    Any,
    /// The aggregate is at one of these revisions.
    OneOf(Vec<Revision>),
}

impl IfMatch {
    /// Returns true if an aggregate at revision `current` meets the condition. `None` stands for an aggregate
    /// that does not exist, which never meets it.
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
    /// Stream of the aggregate that the command changes.
    pub stream: StreamName,
    /// Payload of the command.
    pub command: C,
    /// Command id, actor, correlation id and cause of the command.
    pub origin: Origin,
    /// True if the sender may send the command again. The executor then looks for an earlier command with
    /// this id, and appends a `noted` event if the command changes nothing.
    pub repeatable: bool,
    /// Condition on the aggregate's revision; `None` accepts every revision.
    pub if_match: Option<IfMatch>,
    /// True if the stream's id was derived from this command id, so that no other command can have created
    /// the stream. The executor then skips the read before the first append.
    pub creates: bool,
}

impl<C> CommandRequest<C> {
    /// Makes a command that is sent once and has no condition on the revision.
    pub fn new(stream: StreamName, command: C, origin: Origin) -> Self {
        Self { stream, command, origin, repeatable: false, if_match: None, creates: false }
    }

    /// Marks the command as one that the sender may repeat.
    pub fn repeatable(self) -> Self {
        Self { repeatable: true, ..self }
    }

    /// Marks the command as the one that creates its stream.
    pub fn creating(self) -> Self {
        Self { creates: true, ..self }
    }
}

/// Success of a command, by its effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completion {
    /// The command was decided now, and its events are on disk.
    Appended,
    /// The aggregate was already in the requested state.
    Unchanged,
    /// An earlier command with the same id was done. Revision and position are those of the earlier command.
    Repeated,
}

/// Successful result of a command.
#[derive(Debug)]
pub struct Outcome<D: Decider> {
    /// Revision of the command's last event; the stream's current revision if the command changed nothing.
    pub revision: Revision,
    /// Position of the command's last event; that of the stream's last event if the command changed nothing.
    pub position: Position,
    /// Effect of the command.
    pub completion: Completion,
    /// Current state of the aggregate.
    pub state: Arc<D::State>,
}

/// Current state of an aggregate, with its revision and position.
#[derive(Debug)]
pub struct Loaded<D: Decider> {
    /// State after the stream's last event.
    pub state: Arc<D::State>,
    /// Revision of the stream's last event.
    pub revision: Revision,
    /// Position of the stream's last event.
    pub position: Position,
}

impl<D: Decider> Clone for Loaded<D> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), ..*self }
    }
}

/// Reason why a command failed. The log holds no event of the command, with one exception: after
/// [`CommandError::Store`] the result is unknown, and the sender learns it by a repeat with the same id.
#[derive(Debug, Clone, thiserror::Error)]
pub enum CommandError<R: Rejection> {
    /// The aggregate's rules reject the command.
    #[error(transparent)]
    Rejected(R),
    /// The command id belongs to an earlier command with other content.
    #[error("an earlier command with this id has other content")]
    KeyReused,
    /// The aggregate's revision does not meet the `if_match` condition of the request.
    #[error("{}", end_of_stream(*.current))]
    RevisionMismatch {
        /// Current revision of the stream; `None` if the stream has no event.
        current: Option<Revision>,
    },
    /// Other writers changed the stream during every attempt.
    #[error("other writers changed the stream during each of {attempts} attempts to decide the command")]
    Conflict {
        /// Number of attempts.
        attempts: u32,
    },
    /// The command's events exceed a limit of one append.
    #[error("{what} is {actual}; the limit is {limit}")]
    TooLarge {
        /// Name of the exceeded limit.
        what: &'static str,
        /// Actual size, in the unit that `what` names.
        actual: usize,
        /// Largest allowed size, in the unit that `what` names.
        limit: usize,
    },
    /// The aggregate's rules panicked on the command, because of a bug in this program. A later version of
    /// the program may decide it.
    #[error("the rules could not decide the command: {reason}")]
    Undecided {
        /// Message of the panic, without values of the command.
        reason: String,
    },
    /// The log failed. The result of the command is unknown.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Describes the last event of a stream. `current` is `None` if the stream has no event.
fn end_of_stream(current: Option<Revision>) -> String {
    current.map_or("the stream has no event".to_owned(), |current| {
        format!("the stream is at revision {current}")
    })
}

/// Port that sends commands to the aggregates of one kind, and loads these aggregates.
#[async_trait]
pub trait CommandPort<D: Decider>: Send + Sync + 'static {
    /// Decides the command, and returns after its events are on disk.
    async fn execute(
        &self,
        request: CommandRequest<D::Command>,
    ) -> Result<Outcome<D>, CommandError<D::Rejection>>;

    /// Returns the earlier command with the id of `origin`; `None` if there was no such command. Fails with
    /// [`CommandError::KeyReused`] if the earlier command had other content.
    async fn find(
        &self,
        stream: &StreamName,
        origin: &Origin,
    ) -> Result<Option<FoundCommand>, CommandError<D::Rejection>>;

    /// Returns the current state of the aggregate; `None` if its stream has no event.
    async fn load(&self, stream: &StreamName) -> Result<Option<Loaded<D>>, StoreError>;

    /// Returns up to `limit` events of the aggregate, starting at revision `from`, for callers that need more
    /// than the state holds. A page with fewer than `limit` events is not always the last one.
    async fn events(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError>;
}

impl FoundCommand {
    /// Returns this command if it belongs to the same request as `origin`. Otherwise fails with
    /// [`CommandError::KeyReused`].
    pub fn of_request<R: Rejection>(self, origin: &Origin) -> Result<Self, CommandError<R>> {
        let is_same = self.first.event.request_hash == origin.request_hash;
        if is_same { Ok(self) } else { Err(CommandError::KeyReused) }
    }
}
