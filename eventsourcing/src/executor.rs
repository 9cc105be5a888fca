//! The executor: turns commands into events, for all aggregates of one kind.
//!
//! A step function. What always holds: commands on one stream are decided one after another against
//! memory and appended together; no answer of a batch, a refusal or a no-op included, leaves before the
//! batch is on disk; a repeat is answered as done, never decided twice; a batch that fails drops the
//! state in memory and is decided again from the log, a bounded number of times.
//!
//! A command that the rules panic on is answered so, alone: the others of its batch are decided without it.
//!
//! A repeat is looked for where it could matter: before a repeatable command is refused or found to
//! change nothing, and after any failed append. A repeat whose decision makes events is caught by the
//! ids of those events. So a command that comes once costs no lookup.

mod batch;
mod cache;
mod lane;

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;

use crate::command::{CommandError, CommandRequest, Loaded, Outcome};
use crate::decider::Decider;
use crate::envelope::RecordedEvent;
use crate::id::{CommandId, Position, Revision, StreamName};
use crate::store::{Append, AppendError, Appended, FoundCommand, READ_EVENTS_MAX, StoreError};

use cache::Cache;
use lane::Lane;

/// How often a command is decided again after others wrote to its stream.
pub const CONFLICT_RETRIES_MAX: u32 = 8;
/// Commands decided together on one stream.
pub const BATCH_COMMANDS_MAX: usize = 512;
/// Events read at once when an aggregate is loaded.
pub const LOAD_EVENTS_MAX: usize = READ_EVENTS_MAX;

/// Names a waiting caller; given by the driver, answered exactly once.
pub type Ticket = u64;

/// What a command is answered.
pub type CommandResult<D> = Result<Outcome<D>, CommandError<<D as Decider>::Rejection>>;

/// What the driver is to do.
pub enum Action<D: Decider> {
    /// Read the stream from a revision on, up to [`LOAD_EVENTS_MAX`] events, and call
    /// [`Executor::on_read`].
    Read(StreamName, Revision),
    /// Look the command up and call [`Executor::on_found`].
    Find(StreamName, CommandId),
    /// Append and call [`Executor::on_appended`].
    Append(Append),
    /// Answer a command.
    Answer(Ticket, CommandResult<D>),
    /// Answer a load.
    AnswerLoad(Ticket, Result<Option<Loaded<D>>, StoreError>),
}

/// The events of a stream, folded.
pub(crate) struct Folded<D: Decider> {
    pub(crate) state: Arc<D::State>,
    pub(crate) revision: Option<Revision>,
    pub(crate) position: Position,
}

impl<D: Decider> Clone for Folded<D> {
    fn clone(&self) -> Self {
        Self { state: Arc::clone(&self.state), ..*self }
    }
}

impl<D: Decider> Folded<D> {
    fn empty() -> Self {
        Self { state: Arc::default(), revision: None, position: Position::START }
    }

    fn loaded(&self) -> Option<Loaded<D>> {
        let revision = self.revision?;
        Some(Loaded { state: Arc::clone(&self.state), revision, position: self.position })
    }
}

/// The executor of one kind of aggregate.
pub struct Executor<D: Decider> {
    /// Streams with something under way.
    lanes: HashMap<StreamName, Lane<D>>,
    /// Streams at rest.
    cache: Cache<D>,
    /// Whether nobody else writes to the log, so that memory is never stale.
    exclusive: bool,
}

impl<D: Decider> Executor<D> {
    /// An executor that keeps folded states of up to `cached_parts_max` parts in all.
    pub fn new(cached_parts_max: usize, exclusive: bool) -> Self {
        Self { lanes: HashMap::new(), cache: Cache::new(cached_parts_max), exclusive }
    }

    /// A command arrived.
    pub fn on_command(
        &mut self,
        ticket: Ticket,
        request: CommandRequest<D::Command>,
        now: Timestamp,
    ) -> Vec<Action<D>> {
        let stream = request.stream.clone();
        let lane = self.open_lane(&stream);
        lane.enqueue(ticket, request);
        self.advance(&stream, now)
    }

    /// Somebody wants to see an aggregate.
    pub fn on_load(&mut self, ticket: Ticket, stream: &StreamName, now: Timestamp) -> Vec<Action<D>> {
        if self.exclusive
            && !self.lanes.contains_key(stream)
            && let Some(folded) = self.cache.get(stream)
        {
            return vec![Action::AnswerLoad(ticket, Ok(folded.loaded()))];
        }
        self.open_lane(stream).enqueue_load(ticket);
        self.advance(stream, now)
    }

    /// A read returned, of up to [`LOAD_EVENTS_MAX`] events.
    pub fn on_read(
        &mut self,
        stream: &StreamName,
        result: Result<Vec<RecordedEvent>, StoreError>,
        now: Timestamp,
    ) -> Vec<Action<D>> {
        self.with_lane(stream, now, |lane, actions| lane.on_read(result, actions))
    }

    /// A lookup returned.
    pub fn on_found(
        &mut self,
        stream: &StreamName,
        command: CommandId,
        result: Result<Option<FoundCommand>, StoreError>,
        now: Timestamp,
    ) -> Vec<Action<D>> {
        self.with_lane(stream, now, |lane, actions| lane.on_found(command, result, actions))
    }

    /// An append returned.
    pub fn on_appended(
        &mut self,
        stream: &StreamName,
        result: Result<Appended, AppendError>,
        now: Timestamp,
    ) -> Vec<Action<D>> {
        self.with_lane(stream, now, |lane, actions| lane.on_appended(result, actions))
    }

    fn open_lane(&mut self, stream: &StreamName) -> &mut Lane<D> {
        let cache = &mut self.cache;
        self.lanes.entry(stream.clone()).or_insert_with(|| Lane::new(stream.clone(), cache.pop(stream)))
    }

    fn with_lane(
        &mut self,
        stream: &StreamName,
        now: Timestamp,
        on_lane: impl FnOnce(&mut Lane<D>, &mut Vec<Action<D>>),
    ) -> Vec<Action<D>> {
        let Some(lane) = self.lanes.get_mut(stream) else { return Vec::new() };
        let mut actions = Vec::new();
        on_lane(lane, &mut actions);
        actions.extend(self.advance(stream, now));
        actions
    }

    /// Starts whatever can be started on the stream, and puts the lane away when nothing is left.
    fn advance(&mut self, stream: &StreamName, now: Timestamp) -> Vec<Action<D>> {
        let mut actions = Vec::new();
        let Some(lane) = self.lanes.get_mut(stream) else { return actions };
        lane.advance(self.exclusive, now, &mut actions);
        if lane.is_idle()
            && let Some(lane) = self.lanes.remove(stream)
            && let Some(folded) = lane.into_folded()
        {
            self.cache.put(stream.clone(), folded);
        }
        actions
    }
}

#[cfg(test)]
mod tests;
