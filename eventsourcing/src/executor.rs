//! The executor: decides commands and appends their events, for all aggregates of one kind. A step function.
//!
//! Commands on one stream are decided one after another, against the state in memory. The events of all
//! waiting commands are appended together, as one batch.
//!
//! Invariants: the executor returns no answer of a batch before the batch is on disk; this includes
//! rejections and commands that change nothing. A repeat of a command is answered with the earlier result.
//!
//! Repeats: the executor looks for an earlier command with the same id in two cases only: before it rejects
//! a repeatable command or answers it as unchanged, and after a failed append. In all other cases the append
//! itself fails, because the log already holds the ids of the events. A command that is sent once therefore
//! needs no lookup.
//!
//! On failure: after a conflict, the executor reads the new events of the stream and decides the batch again,
//! at most [`CONFLICT_RETRIES_MAX`] times. If the log fails, all waiting callers receive the error, and the
//! state in memory is dropped. If the rules panic on a command, only this command fails; the others of its
//! batch are decided without it.

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

/// Largest number of retries after other writers changed the stream.
pub const CONFLICT_RETRIES_MAX: u32 = 8;
/// Largest number of commands on one stream that are decided together.
pub const BATCH_COMMANDS_MAX: usize = 512;
/// Largest number of events in one read while an aggregate is loaded.
pub const LOAD_EVENTS_MAX: usize = READ_EVENTS_MAX;

/// Number that the driver gives to a waiting caller. The executor answers each ticket exactly once.
pub type Ticket = u64;

/// Result of a command, as the caller receives it.
pub type CommandResult<D> = Result<Outcome<D>, CommandError<<D as Decider>::Rejection>>;

/// Action that the driver must carry out.
pub enum Action<D: Decider> {
    /// Read up to [`LOAD_EVENTS_MAX`] events of the stream, starting at this revision; then call
    /// [`Executor::on_read`].
    Read(StreamName, Revision),
    /// Look for an earlier command with this id in the stream; then call [`Executor::on_found`].
    Find(StreamName, CommandId),
    /// Append the events; then call [`Executor::on_appended`].
    Append(Append),
    /// Send the result of a command to its caller.
    Answer(Ticket, CommandResult<D>),
    /// Send a loaded aggregate to its caller.
    AnswerLoad(Ticket, Result<Option<Loaded<D>>, StoreError>),
}

/// State of an aggregate up to a revision of its stream.
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

/// Executor for the aggregates of one kind.
pub struct Executor<D: Decider> {
    /// Streams with waiting callers or running operations.
    lanes: HashMap<StreamName, Lane<D>>,
    /// States of all other streams that are in memory.
    cache: Cache<D>,
    /// True if no other process writes to the log, so that the state in memory is always current.
    exclusive: bool,
}

impl<D: Decider> Executor<D> {
    /// Makes an executor that caches states of up to `cached_parts_max` parts in total (see
    /// [`Decider::parts`]). `exclusive` is true if no other process writes to the log.
    pub fn new(cached_parts_max: usize, exclusive: bool) -> Self {
        Self { lanes: HashMap::new(), cache: Cache::new(cached_parts_max), exclusive }
    }

    /// Accepts a command of a caller.
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

    /// Accepts a request of a caller to load an aggregate.
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

    /// Accepts the result of [`Action::Read`].
    pub fn on_read(
        &mut self,
        stream: &StreamName,
        result: Result<Vec<RecordedEvent>, StoreError>,
        now: Timestamp,
    ) -> Vec<Action<D>> {
        self.with_lane(stream, now, |lane, actions| lane.on_read(result, actions))
    }

    /// Accepts the result of [`Action::Find`].
    pub fn on_found(
        &mut self,
        stream: &StreamName,
        command: CommandId,
        result: Result<Option<FoundCommand>, StoreError>,
        now: Timestamp,
    ) -> Vec<Action<D>> {
        self.with_lane(stream, now, |lane, actions| lane.on_found(command, result, actions))
    }

    /// Accepts the result of [`Action::Append`].
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

    /// Starts the next operations on the stream. If none is left, moves the state from the lane to the cache.
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
