//! One stream with something under way: what waits, what is in the air, what is known.

use std::collections::VecDeque;

use jiff::Timestamp;

use crate::command::{CommandError, CommandRequest, Completion, Outcome};
use crate::decider::Decider;
use crate::envelope::RecordedEvent;
use crate::id::{CommandId, Position, Revision, StreamName};
use crate::parking::{caught, without_values};
use crate::store::{AppendError, Appended, FoundCommand, StoreError, is_full_page};

use super::batch::{Batch, Entry, decide_batch};
use super::{Action, CONFLICT_RETRIES_MAX, Folded, LOAD_EVENTS_MAX, Ticket};

/// A command that waits.
pub(super) struct Waiting<D: Decider> {
    pub(super) ticket: Ticket,
    pub(super) request: CommandRequest<D::Command>,
    pub(super) lookup: Lookup,
    pub(super) attempts: u32,
}

/// Whether the log was asked for earlier events of the command.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Lookup {
    /// Not asked, and nothing says it must be.
    NotNeeded,
    /// To be asked before the next decision.
    Wanted,
    /// Asked; no answer yet.
    Asked,
    /// There are none.
    NotFound,
}

/// What is known of the stream.
enum Knowledge<D: Decider> {
    Nothing,
    /// A read is in the air; what was folded so far.
    Reading(Folded<D>),
    Known(Folded<D>),
    /// Others wrote since: what is new has to be folded first.
    Behind(Folded<D>),
}

pub(super) struct Lane<D: Decider> {
    stream: StreamName,
    knowledge: Knowledge<D>,
    /// Whether `knowledge` was compared with the log since the lane was opened; only of interest where
    /// others write too.
    fresh: bool,
    waiting: VecDeque<Waiting<D>>,
    loads: Vec<Ticket>,
    /// Repeats, to be answered with the state of now.
    repeats: Vec<(Ticket, FoundCommand)>,
    batch: Option<Batch<D>>,
}

impl<D: Decider> Lane<D> {
    pub(super) fn new(stream: StreamName, folded: Option<Folded<D>>) -> Self {
        let knowledge = folded.map_or(Knowledge::Nothing, Knowledge::Known);
        let (waiting, loads, repeats) = (VecDeque::new(), Vec::new(), Vec::new());
        Self { stream, knowledge, fresh: false, waiting, loads, repeats, batch: None }
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
        self.nobody_waits() && !self.is_in_the_air()
    }

    pub(super) fn into_folded(self) -> Option<Folded<D>> {
        match self.knowledge {
            // An aggregate that was asked for and isn't there is not worth a place in the cache.
            Knowledge::Known(folded) if folded.revision.is_some() => Some(folded),
            _ => None,
        }
    }

    fn nobody_waits(&self) -> bool {
        self.waiting.is_empty() && self.loads.is_empty() && self.repeats.is_empty()
    }

    fn is_in_the_air(&self) -> bool {
        self.batch.is_some()
            || matches!(self.knowledge, Knowledge::Reading(_))
            || self.waiting.iter().any(|waiting| waiting.lookup == Lookup::Asked)
    }

    /// Starts the next round once nothing of the last is in the air.
    pub(super) fn advance(&mut self, exclusive: bool, now: Timestamp, actions: &mut Vec<Action<D>>) {
        while !self.is_in_the_air() && !self.nobody_waits() {
            match std::mem::replace(&mut self.knowledge, Knowledge::Nothing) {
                Knowledge::Nothing if self.all_waiting_create() => {
                    self.knowledge = Knowledge::Known(Folded::empty());
                }
                Knowledge::Nothing => return self.read(Folded::empty(), actions),
                Knowledge::Behind(folded) => return self.read(folded, actions),
                Knowledge::Reading(folded) => self.knowledge = Knowledge::Reading(folded),
                Knowledge::Known(folded) if !self.loads.is_empty() && !exclusive && !self.fresh => {
                    return self.read(folded, actions);
                }
                Knowledge::Known(folded) => self.round(folded, exclusive, now, actions),
            }
        }
    }

    fn all_waiting_create(&self) -> bool {
        self.loads.is_empty()
            && self.repeats.is_empty()
            && self.waiting.iter().all(|waiting| waiting.request.creates && waiting.attempts == 0)
    }

    fn read(&mut self, folded: Folded<D>, actions: &mut Vec<Action<D>>) {
        actions.push(Action::Read(self.stream.clone(), Revision::after(folded.revision)));
        self.knowledge = Knowledge::Reading(folded);
    }

    /// Answers loads and repeats, decides what can be decided, and looks up what must be.
    fn round(&mut self, folded: Folded<D>, exclusive: bool, now: Timestamp, actions: &mut Vec<Action<D>>) {
        for ticket in self.loads.drain(..) {
            actions.push(Action::AnswerLoad(ticket, Ok(folded.loaded())));
        }
        for (ticket, found) in self.repeats.drain(..) {
            let (revision, position) = (found.last_revision, found.last_position);
            let state = folded.state.clone();
            let outcome = Outcome { revision, position, completion: Completion::Repeated, state };
            actions.push(Action::Answer(ticket, Ok(outcome)));
        }
        let before = folded.revision;
        let mut batch = decide_batch(&self.stream, folded, &mut self.waiting, now);
        for waiting in self.waiting.iter_mut().filter(|waiting| waiting.lookup == Lookup::Wanted) {
            let command = waiting.request.origin.command_id;
            // A copy of a command of this batch is looked up once the batch is in the log, not before.
            if !batch.entries.iter().any(|entry| entry.waiting.request.origin.command_id == command) {
                waiting.lookup = Lookup::Asked;
                actions.push(Action::Find(self.stream.clone(), command));
            }
        }
        if let Some(append) = batch.append.take() {
            actions.push(Action::Append(append));
            self.knowledge = Knowledge::Nothing;
            self.batch = Some(batch);
        } else if batch.entries.is_empty() {
            self.knowledge = Knowledge::Known(batch.folded);
        } else if exclusive {
            Self::answer(batch.entries, &batch.folded, &[], before, actions);
            self.knowledge = Knowledge::Known(batch.folded);
        } else {
            // Refusals and no-ops hold only if the stream still stands where they were decided.
            actions.push(Action::Read(self.stream.clone(), Revision::after(before)));
            self.knowledge = Knowledge::Nothing;
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
        let Knowledge::Reading(folded) = std::mem::replace(&mut self.knowledge, Knowledge::Nothing) else {
            return;
        };
        let more = is_full_page(&events, LOAD_EVENTS_MAX);
        match fold(folded, &events) {
            Ok(folded) if more => self.read(folded, actions),
            Ok(folded) => {
                self.knowledge = Knowledge::Known(folded);
                self.fresh = true;
            }
            Err(error) => self.fail(&error, actions),
        }
    }

    /// The stream was read behind a batch that appends nothing: untouched, its answers stand.
    fn on_confirmation(&mut self, batch: Batch<D>, events: &[RecordedEvent], actions: &mut Vec<Action<D>>) {
        if events.is_empty() {
            let before = batch.folded.revision;
            Self::answer(batch.entries, &batch.folded, &[], before, actions);
            self.knowledge = Knowledge::Known(batch.folded);
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
        let asked = |waiting: &Waiting<D>| {
            waiting.lookup == Lookup::Asked && waiting.request.origin.command_id == command
        };
        let Some(index) = self.waiting.iter().position(asked) else { return };
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
                batch.folded.position = last.unwrap_or(batch.folded.position);
                let before = appended.first_revision.0.checked_sub(1).map(Revision);
                Self::answer(batch.entries, &batch.folded, &appended.positions, before, actions);
                self.knowledge = Knowledge::Known(batch.folded);
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

    /// Drops what the batch made of the state, and decides it again behind what is new in the log, each
    /// command after a lookup.
    fn decide_again(&mut self, batch: Batch<D>, actions: &mut Vec<Action<D>>) {
        self.knowledge = Knowledge::Behind(batch.before);
        for entry in batch.entries.into_iter().rev() {
            let mut waiting = entry.waiting;
            waiting.attempts += 1;
            waiting.lookup = Lookup::Wanted;
            if waiting.attempts > CONFLICT_RETRIES_MAX {
                let error = CommandError::Conflict { attempts: waiting.attempts };
                actions.push(Action::Answer(waiting.ticket, Err(error)));
            } else {
                self.waiting.push_front(waiting);
            }
        }
    }

    /// Answers everything that waits: the log failed.
    fn fail(&mut self, error: &StoreError, actions: &mut Vec<Action<D>>) {
        self.knowledge = Knowledge::Nothing;
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

    /// Answers a batch that is on disk, or that had nothing to put there. `positions` are those of the
    /// appended events, `before` is the revision in front of them.
    fn answer(
        entries: Vec<Entry<D>>,
        folded: &Folded<D>,
        positions: &[Position],
        before: Option<Revision>,
        actions: &mut Vec<Action<D>>,
    ) {
        let mut appended = 0;
        for entry in entries {
            let result = entry.verdict.map(|decided| {
                appended += decided.events;
                // A command that appends nothing is answered with where the stream stood when it was
                // decided: behind what the batch had appended by then.
                let ahead = appended as u64;
                let revision = match before {
                    Some(revision) => Revision(revision.0 + ahead),
                    None => Revision(ahead.saturating_sub(1)),
                };
                let position = appended.checked_sub(1).and_then(|last| positions.get(last).copied());
                Outcome {
                    revision,
                    position: position.unwrap_or(folded.position),
                    completion: decided.completion,
                    state: folded.state.clone(),
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
        state = caught(|| D::evolve(state, &event)).map_err(|reason| {
            let (stream, revision, reason) = (&recorded.stream, recorded.revision, without_values(&reason));
            StoreError::Damaged(format!("{stream} can't be folded at revision {revision}: {reason}"))
        })?;
    }
    Ok(Folded { state: state.into(), revision: Some(last.revision), position: last.position })
}
