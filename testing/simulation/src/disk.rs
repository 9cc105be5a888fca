//! A disk with a log: what is queued, what is written, and what is synced. A kill loses the first, and the
//! second as it falls; a sync that failed leaves nobody knowing.

use std::collections::{HashSet, VecDeque};

use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandId, EventId, Expected, Position, RecordedEvent, Revision,
    StoreError, StreamName,
};

use crate::chance::Chance;
use crate::keys::Keys;

/// Who waits for an append.
#[derive(Clone, Debug)]
pub(crate) enum Waiter {
    /// An executor, for a stream.
    Desk(usize, StreamName),
    /// A process, for an instance.
    Process(usize, String),
}

/// An append that was answered.
pub(crate) type Answered = (Waiter, Result<Appended, AppendError>);

#[derive(Default)]
pub(crate) struct Disk {
    /// On the platter.
    pub(crate) synced: Vec<RecordedEvent>,
    ids: HashSet<EventId>,
    /// The keys of people, in a store of their own.
    pub(crate) keys: Keys,
    queue: VecDeque<(Waiter, Append)>,
    /// Appends that were ever taken.
    taken: usize,
    /// Written, not synced, with what is to be answered then.
    written: Vec<RecordedEvent>,
    judged: Vec<Answered>,
    is_open: bool,
    /// Whether there is no room for another write.
    pub(crate) is_full: bool,
}

fn gone() -> StoreError {
    StoreError::Stopped("the log's writer has stopped".to_owned())
}

impl Disk {
    /// A disk with a log that was written before.
    pub(crate) fn with(log: Vec<RecordedEvent>) -> Self {
        let ids = log.iter().map(|event| event.event.id).collect();
        Self { synced: log, ids, ..Self::default() }
    }

    pub(crate) fn open(&mut self) {
        self.is_open = true;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.is_open
    }

    /// Takes an append, sealed with the keys there are by now, or answers at once that nothing is taken
    /// any more.
    pub(crate) fn append(&mut self, waiter: Waiter, mut append: Append) -> Option<Answered> {
        if !self.is_open {
            return Some((waiter, Err(gone().into())));
        }
        append.events = self.keys.seal(append.events);
        self.taken += 1;
        self.queue.push_back((waiter, append));
        None
    }

    /// Appends that were ever taken: each was sealed by then.
    pub(crate) fn taken(&self) -> usize {
        self.taken
    }

    /// How many of them, the first ones, were answered.
    pub(crate) fn done(&self) -> usize {
        self.taken - self.queue.len() - self.judged.len()
    }

    pub(crate) fn has_queued(&self) -> bool {
        self.is_open && self.written.is_empty() && self.judged.is_empty() && !self.queue.is_empty()
    }

    pub(crate) fn has_written(&self) -> bool {
        self.is_open && !self.judged.is_empty()
    }

    /// Writes what waits, up to a group. Without room everything fails and nothing more is taken.
    pub(crate) fn write(&mut self, most: usize) -> Vec<Answered> {
        if self.is_full {
            return self.stop();
        }
        for _ in 0..most {
            let Some((waiter, append)) = self.queue.pop_front() else { break };
            let judged = self.judge(append);
            self.judged.push((waiter, judged));
        }
        Vec::new()
    }

    fn judge(&mut self, append: Append) -> Result<Appended, AppendError> {
        append.check_limits()?;
        let all = || self.synced.iter().chain(&self.written);
        let last = all().filter(|event| event.stream == append.stream).map(|event| event.revision).max();
        let is_known = |event: &souk_eventsourcing::NewEvent| {
            self.ids.contains(&event.id) || self.written.iter().any(|written| written.event.id == event.id)
        };
        if append.events.iter().any(is_known) {
            return Err(AppendError::Duplicate { stream: append.stream });
        }
        let is_expected = match append.expected {
            Expected::Any => true,
            Expected::NoStream => last.is_none(),
            Expected::Revision(revision) => last == Some(revision),
        };
        if !is_expected {
            return Err(AppendError::Conflict { stream: append.stream, current: last });
        }
        let first_revision = Revision::after(last);
        let mut positions = Vec::new();
        for (ordinal, event) in (0..).zip(append.events) {
            let position = Position((self.synced.len() + self.written.len()) as u64 + 1);
            positions.push(position);
            let revision = Revision(first_revision.0 + ordinal);
            self.written.push(RecordedEvent { position, stream: append.stream.clone(), revision, event });
        }
        Ok(Appended { first_revision, positions })
    }

    /// A sync that succeeds: what was written is answered.
    pub(crate) fn sync(&mut self) -> Vec<Answered> {
        self.keep();
        std::mem::take(&mut self.judged)
    }

    fn keep(&mut self) {
        self.ids.extend(self.written.iter().map(|event| event.event.id));
        self.synced.append(&mut self.written);
    }

    /// A sync that fails: everybody is told that nobody knows, and it may be there all the same.
    pub(crate) fn fail_sync(&mut self, chance: &mut Chance) -> Vec<Answered> {
        if chance.once_in(2) {
            self.keep();
        }
        self.stop()
    }

    fn stop(&mut self) -> Vec<Answered> {
        self.is_open = false;
        self.written.clear();
        let waiting = std::mem::take(&mut self.queue).into_iter().map(|(waiter, _)| waiter);
        let judged = std::mem::take(&mut self.judged).into_iter().map(|(waiter, _)| waiter);
        judged.chain(waiting).map(|waiter| (waiter, Err(gone().into()))).collect()
    }

    /// The power goes: what was written may be there whole, or not at all, since a torn tail is cut off.
    pub(crate) fn crash(&mut self, chance: &mut Chance) {
        if chance.once_in(2) {
            self.keep();
        }
        self.written.clear();
        self.judged.clear();
        self.queue.clear();
        self.is_open = false;
        self.is_full = false;
    }

    pub(crate) fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Vec<RecordedEvent> {
        let of_stream = self.synced.iter().filter(|event| event.stream == *stream && event.revision >= from);
        of_stream.take(limit).cloned().collect()
    }

    pub(crate) fn read_all(&self, after: Position, limit: usize) -> &[RecordedEvent] {
        let from = usize::try_from(after.0).unwrap();
        &self.synced[from..self.synced.len().min(from + limit)]
    }

    pub(crate) fn head(&self) -> Position {
        Position(self.synced.len() as u64)
    }

    pub(crate) fn find(&self, stream: &StreamName, command: CommandId) -> Option<FoundCommand> {
        let of_command: Vec<&RecordedEvent> = self
            .synced
            .iter()
            .filter(|event| event.stream == *stream && event.event.command_id == command)
            .collect();
        let (first, last) = (of_command.first()?, of_command.last()?);
        let (last_revision, last_position) = (last.revision, last.position);
        Some(FoundCommand { first: (*first).clone(), last_revision, last_position })
    }
}
