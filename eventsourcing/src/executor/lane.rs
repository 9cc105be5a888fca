//! A lane: one stream with its waiting callers, its running operations, and its state in memory.
//!
//! Invariant: at most one read or append of the stream is running. The next batch is decided only after the
//! operations of the previous one have returned.
//!
//! On failure: see [`crate::executor`].

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::command::{CommandError, CommandRequest, Completion, Outcome};
use crate::decider::Decider;
use crate::envelope::RecordedEvent;
use crate::id::{CommandId, Position, Revision, StreamName};
use crate::parking::{catch_panic, without_values};
use crate::store::{AppendError, Appended, FoundCommand, StoreError, is_full_page};

use super::batch::{Batch, Entry, decide_batch};
use super::{Action, CONFLICT_RETRIES_MAX, Folded, LOAD_EVENTS_MAX, Ticket};

/// Command that waits to be decided, or for its batch to be on disk.
pub(super) struct Waiting<D: Decider> {
    pub(super) ticket: Ticket,
    pub(super) request: CommandRequest<D::Command>,
    pub(super) lookup: Lookup,
    pub(super) attempts: u32,
}

/// State of the search for earlier events of the same command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// No search was made; the command may be a repeat.
    NotNeeded,
    /// A search must be made before the command is decided.
    Required,
    /// The search is running.
    Running,
    /// The log holds no earlier events, or the sender never repeats the command.
    NotFound,
}

/// State of the aggregate in memory.
enum Memory<D: Decider> {
    /// No state is in memory, or the state belongs to the running batch.
    Empty,
    /// A read is running; the state includes the events of the previous pages.
    Loading(Folded<D>),
    /// The state includes all events, as far as this process can know.
    Current(Folded<D>),
    /// Other writers have changed the stream; their events must be read first.
    Outdated(Folded<D>),
}

pub(super) struct Lane<D: Decider> {
    stream: StreamName,
    memory: Memory<D>,
    /// True if `memory` was compared with the log since the last request to load the aggregate. Used only if
    /// other processes write to the log.
    fresh: bool,
    waiting: VecDeque<Waiting<D>>,
    loads: Vec<Ticket>,
    /// Repeated commands, which are answered with the current state.
    repeats: Vec<(Ticket, FoundCommand)>,
    /// Batch that waits for its append, or for the check that its answers are still valid.
    batch: Option<Batch<D>>,
}

impl<D: Decider> Lane<D> {
    pub(super) fn new(stream: StreamName, folded: Option<Folded<D>>) -> Self {
        Self {
            stream,
            memory: folded.map_or(Memory::Empty, Memory::Current),
            fresh: false,
            waiting: VecDeque::new(),
            loads: Vec::new(),
            repeats: Vec::new(),
            batch: None,
        }
    }

    pub(super) fn enqueue(&mut self, ticket: Ticket, request: CommandRequest<D::Command>) {
        let lookup = if request.repeatable { Lookup::NotNeeded } else { Lookup::NotFound };
        self.waiting.push_back(Waiting { ticket, request, lookup, attempts: 0 });
    }

    pub(super) fn enqueue_load(&mut self, ticket: Ticket) {
        self.loads.push(ticket);
        self.fresh = false;
    }

    pub(super) fn is_idle(&self) -> bool {
        self.has_no_caller() && !self.is_busy()
    }

    pub(super) fn into_folded(self) -> Option<Folded<D>> {
        match self.memory {
            // The state of an aggregate that does not exist is not cached.
            Memory::Current(folded) if folded.revision.is_some() => Some(folded),
            _ => None,
        }
    }

    fn has_no_caller(&self) -> bool {
        self.waiting.is_empty() && self.loads.is_empty() && self.repeats.is_empty()
    }

    /// Returns true if a read, lookup or append is running.
    fn is_busy(&self) -> bool {
        self.batch.is_some()
            || matches!(self.memory, Memory::Loading(_))
            || self.waiting.iter().any(|waiting| waiting.lookup == Lookup::Running)
    }

    /// Starts the next round after all operations of the previous round have returned.
    pub(super) fn advance(&mut self, exclusive: bool, now: Timestamp, actions: &mut Vec<Action<D>>) {
        while !self.is_busy() && !self.has_no_caller() {
            match std::mem::replace(&mut self.memory, Memory::Empty) {
                Memory::Empty if self.all_waiting_create_the_stream() => {
                    self.memory = Memory::Current(Folded::empty());
                }
                Memory::Empty => return self.read(Folded::empty(), actions),
                Memory::Outdated(folded) => return self.read(folded, actions),
                Memory::Loading(folded) => self.memory = Memory::Loading(folded),
                Memory::Current(folded) if !self.loads.is_empty() && !exclusive && !self.fresh => {
                    return self.read(folded, actions);
                }
                Memory::Current(folded) => self.round(folded, exclusive, now, actions),
            }
        }
    }

    fn all_waiting_create_the_stream(&self) -> bool {
        self.loads.is_empty()
            && self.repeats.is_empty()
            && self.waiting.iter().all(|waiting| waiting.request.creates && waiting.attempts == 0)
    }

    fn read(&mut self, folded: Folded<D>, actions: &mut Vec<Action<D>>) {
        actions.push(Action::Read(self.stream.clone(), Revision::after(folded.revision)));
        self.memory = Memory::Loading(folded);
    }

    /// Answers loads and repeats, decides the waiting commands, and starts the required lookups.
    fn round(&mut self, folded: Folded<D>, exclusive: bool, now: Timestamp, actions: &mut Vec<Action<D>>) {
        for ticket in self.loads.drain(..) {
            actions.push(Action::AnswerLoad(ticket, Ok(folded.loaded())));
        }
        for (ticket, found) in self.repeats.drain(..) {
            let outcome = Outcome {
                revision: found.last_revision,
                position: found.last_position,
                completion: Completion::Repeated,
                state: folded.state.clone(),
            };
            actions.push(Action::Answer(ticket, Ok(outcome)));
        }
        let before = folded.revision;
        let mut batch = decide_batch(&self.stream, folded, &mut self.waiting, now);
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.lookup == Lookup::Required) {
            let command = waiting.request.origin.command_id;
            // The lookup for a copy of a command of this batch starts after the batch is in the log.
            if !batch.entries.iter().any(|entry| entry.waiting.request.origin.command_id == command) {
                waiting.lookup = Lookup::Running;
                actions.push(Action::Find(self.stream.clone(), command));
            }
        }
        if let Some(append) = batch.append.take() {
            actions.push(Action::Append(append));
            self.memory = Memory::Empty;
            self.batch = Some(batch);
        } else if batch.entries.is_empty() {
            self.memory = Memory::Current(batch.after);
        } else if exclusive {
            Self::answer(batch.entries, &batch.after, &[], before, actions);
            self.memory = Memory::Current(batch.after);
        } else {
            // Answers without events are valid only if no other process has written to the stream meanwhile.
            actions.push(Action::Read(self.stream.clone(), Revision::after(before)));
            self.memory = Memory::Empty;
            self.batch = Some(batch);
        }
    }

    pub(super) fn on_read(
        &mut self,
        result: Result<Vec<RecordedEvent>, StoreError>,
        actions: &mut Vec<Action<D>>,
    ) {
        let events = match result {
            Ok(events) => events,
            Err(error) => return self.fail(&error, actions),
        };
        if let Some(batch) = self.batch.take() {
            return self.on_confirmation(batch, &events, actions);
        }
        let Memory::Loading(folded) = std::mem::replace(&mut self.memory, Memory::Empty) else {
            return;
        };
        let more = is_full_page(&events, LOAD_EVENTS_MAX);
        match fold(folded, &events) {
            Ok(folded) if more => self.read(folded, actions),
            Ok(folded) => {
                self.memory = Memory::Current(folded);
                self.fresh = true;
            }
            Err(error) => self.fail(&error, actions),
        }
    }

    /// Accepts the check of a batch without events. `events` are the stream's new events since the decision;
    /// if there are none, the answers are valid.
    fn on_confirmation(&mut self, batch: Batch<D>, events: &[RecordedEvent], actions: &mut Vec<Action<D>>) {
        if events.is_empty() {
            let before = batch.after.revision;
            Self::answer(batch.entries, &batch.after, &[], before, actions);
            self.memory = Memory::Current(batch.after);
        } else {
            self.decide_again(batch, actions);
        }
    }

    pub(super) fn on_found(
        &mut self,
        command: CommandId,
        result: Result<Option<FoundCommand>, StoreError>,
        actions: &mut Vec<Action<D>>,
    ) {
        let is_looked_up = |waiting: &Waiting<D>| {
            waiting.lookup == Lookup::Running && waiting.request.origin.command_id == command
        };
        let Some(index) = self.waiting.iter().position(is_looked_up) else { return };
        match result {
            Ok(None) => self.waiting[index].lookup = Lookup::NotFound,
            Ok(Some(found)) => {
                let Some(waiting) = self.waiting.remove(index) else { return };
                match found.of_request(&waiting.request.origin) {
                    Ok(found) => self.repeats.push((waiting.ticket, found)),
                    Err(error) => actions.push(Action::Answer(waiting.ticket, Err(error))),
                }
            }
            Err(error) => {
                let Some(waiting) = self.waiting.remove(index) else { return };
                actions.push(Action::Answer(waiting.ticket, Err(error.into())));
            }
        }
    }

    pub(super) fn on_appended(
        &mut self,
        result: Result<Appended, AppendError>,
        actions: &mut Vec<Action<D>>,
    ) {
        let Some(mut batch) = self.batch.take() else { return };
        match result {
            Ok(appended) => {
                let last = appended.positions.last().copied();
                batch.after.position = last.unwrap_or(batch.after.position);
                let before = appended.first_revision.0.checked_sub(1).map(Revision);
                Self::answer(batch.entries, &batch.after, &appended.positions, before, actions);
                self.memory = Memory::Current(batch.after);
                self.fresh = true;
            }
            Err(AppendError::Conflict { .. } | AppendError::Duplicate { .. }) => {
                self.decide_again(batch, actions);
            }
            Err(AppendError::TooLarge { what, actual, limit }) => {
                for entry in batch.entries {
                    let error = CommandError::TooLarge { what, actual, limit };
                    actions.push(Action::Answer(entry.waiting.ticket, Err(error)));
                }
            }
            Err(AppendError::Store(error)) => {
                for entry in batch.entries {
                    actions.push(Action::Answer(entry.waiting.ticket, Err(error.clone().into())));
                }
            }
        }
    }

    /// Returns the commands of a failed batch to the queue. They are decided again after the stream's new
    /// events were read, each after a lookup.
    fn decide_again(&mut self, batch: Batch<D>, actions: &mut Vec<Action<D>>) {
        self.memory = Memory::Outdated(batch.before);
        for entry in batch.entries.into_iter().rev() {
            let mut waiting = entry.waiting;
            waiting.attempts += 1;
            waiting.lookup = Lookup::Required;
            if waiting.attempts > CONFLICT_RETRIES_MAX {
                let error = CommandError::Conflict { attempts: waiting.attempts };
                actions.push(Action::Answer(waiting.ticket, Err(error)));
            } else {
                self.waiting.push_front(waiting);
            }
        }
    }

    /// Answers all waiting callers with an error of the log.
    fn fail(&mut self, error: &StoreError, actions: &mut Vec<Action<D>>) {
        self.memory = Memory::Empty;
        let batch = self.batch.take().map(|batch| batch.entries).unwrap_or_default();
        let undecided = self.waiting.drain(..);
        for waiting in batch.into_iter().map(|entry| entry.waiting).chain(undecided) {
            actions.push(Action::Answer(waiting.ticket, Err(error.clone().into())));
        }
        for (ticket, _) in self.repeats.drain(..) {
            actions.push(Action::Answer(ticket, Err(error.clone().into())));
        }
        for ticket in self.loads.drain(..) {
            actions.push(Action::AnswerLoad(ticket, Err(error.clone())));
        }
    }

    /// Answers the commands of a batch that is on disk or has no events. `positions` are the positions of the
    /// appended events, and `before` is the stream's last revision before them.
    fn answer(
        entries: Vec<Entry<D>>,
        after: &Folded<D>,
        positions: &[Position],
        before: Option<Revision>,
        actions: &mut Vec<Action<D>>,
    ) {
        let mut appended = 0;
        for entry in entries {
            let result = entry.verdict.map(|accepted| {
                appended += accepted.event_count;
                // A command without events is answered with the stream's last revision at its decision. This
                // includes the events of the earlier commands in the batch.
                let events_so_far = appended as u64;
                let revision = match before {
                    Some(revision) => Revision(revision.0 + events_so_far),
                    None => Revision(events_so_far.saturating_sub(1)),
                };
                let position = appended.checked_sub(1).and_then(|last| positions.get(last).copied());
                Outcome {
                    revision,
                    position: position.unwrap_or(after.position),
                    completion: accepted.completion,
                    state: after.state.clone(),
                }
            });
            actions.push(Action::Answer(entry.waiting.ticket, result));
        }
    }
}

fn fold<D: Decider>(folded: Folded<D>, events: &[RecordedEvent]) -> Result<Folded<D>, StoreError> {
    let Some(last) = events.last() else { return Ok(folded) };
    let mut state = std::sync::Arc::unwrap_or_clone(folded.state);
    for recorded in events.iter().filter(|recorded| !recorded.is_noted()) {
        let event: D::Event = recorded.decode().map_err(|error| {
            StoreError::Damaged(format!("{} at revision {}: {error}", recorded.stream, recorded.revision))
        })?;
        state = catch_panic(|| D::evolve(state, &event)).map_err(|reason| {
            let stream = &recorded.stream;
            let revision = recorded.revision;
            let reason = without_values(&reason);
            StoreError::Damaged(format!(
                "the event of {stream} at revision {revision} can't be applied: {reason}"
            ))
        })?;
    }
    Ok(Folded { state: state.into(), revision: Some(last.revision), position: last.position })
}
