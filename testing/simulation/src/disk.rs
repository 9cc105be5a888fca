//! Simulated disk with a log. Appends are queued, then written, then synced. A kill loses queued appends;
//! written ones survive or are lost by chance. After a failed sync, it is unknown if the written appends
//! survived.

use std::collections::{HashSet, VecDeque};

use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandId, EventId, Expected, Position, RecordedEvent, Revision,
    StoreError, StreamName,
};

use crate::chance::Chance;
use crate::keys::Keys;

/// Sender that waits for the result of an append.
#[derive(Clone, Debug)]
pub(crate) enum Waiter {
    /// Executor, for a stream.
    Executor(StreamName),
    /// Process with this index, for an instance.
    Process(usize, String),
}

/// Result of an append, with the sender that waits for it.
pub(crate) type AppendResult = (Waiter, Result<Appended, AppendError>);

#[derive(Default)]
pub(crate) struct Disk {
    /// Durable events.
    pub(crate) synced: Vec<RecordedEvent>,
    ids: HashSet<EventId>,
    /// Keys of people, in a separate store.
    pub(crate) keys: Keys,
    /// Appends that are accepted, but not written.
    queue: VecDeque<(Waiter, Append)>,
    /// Number of appends accepted so far.
    accepted: usize,
    /// Events that are written, but not synced.
    written: Vec<RecordedEvent>,
    /// Results to send after the next sync.
    results: Vec<AppendResult>,
    is_open: bool,
    /// True if the next write fails because the disk is full.
    pub(crate) is_full: bool,
}

fn stopped() -> StoreError {
    StoreError::Stopped("the log's writer has stopped".to_owned())
}

impl Disk {
    /// Returns a disk with an existing log.
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

    /// Seals an append with the keys that exist now, and queues it. Returns an error at once if the log has
    /// stopped.
    pub(crate) fn append(&mut self, waiter: Waiter, mut append: Append) -> Option<AppendResult> {
        if !self.is_open {
            return Some((waiter, Err(stopped().into())));
        }
        append.events = self.keys.seal(append.events);
        self.accepted += 1;
        self.queue.push_back((waiter, append));
        None
    }

    /// Number of appends accepted so far, all of which are sealed.
    pub(crate) fn accepted_count(&self) -> usize {
        self.accepted
    }

    /// Number of accepted appends that were answered. Appends are answered in the order in which they were
    /// accepted.
    pub(crate) fn answered_count(&self) -> usize {
        self.accepted - self.queue.len() - self.results.len()
    }

    pub(crate) fn has_queued(&self) -> bool {
        self.is_open && self.written.is_empty() && self.results.is_empty() && !self.queue.is_empty()
    }

    pub(crate) fn has_written(&self) -> bool {
        self.is_open && !self.results.is_empty()
    }

    /// Writes at most `limit` queued appends. If the disk is full, all appends fail and the log stops.
    pub(crate) fn write(&mut self, limit: usize) -> Vec<AppendResult> {
        if self.is_full {
            return self.stop();
        }
        for _ in 0..limit {
            let Some((waiter, append)) = self.queue.pop_front() else { break };
            let result = self.check_and_write(append);
            self.results.push((waiter, result));
        }
        Vec::new()
    }

    /// Writes the events of an append if its expected revision is right and its event ids are new.
    fn check_and_write(&mut self, append: Append) -> Result<Appended, AppendError> {
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

    /// Syncs successfully. Returns the results of the written appends.
    pub(crate) fn sync(&mut self) -> Vec<AppendResult> {
        self.make_durable();
        std::mem::take(&mut self.results)
    }

    fn make_durable(&mut self) {
        self.ids.extend(self.written.iter().map(|event| event.event.id));
        self.synced.append(&mut self.written);
    }

    /// Fails a sync. All waiting appends get an error, although the written ones may be durable.
    pub(crate) fn fail_sync(&mut self, chance: &mut Chance) -> Vec<AppendResult> {
        if chance.once_in(2) {
            self.make_durable();
        }
        self.stop()
    }

    fn stop(&mut self) -> Vec<AppendResult> {
        self.is_open = false;
        self.written.clear();
        let waiting = std::mem::take(&mut self.queue).into_iter().map(|(waiter, _)| waiter);
        let results = std::mem::take(&mut self.results).into_iter().map(|(waiter, _)| waiter);
        results.chain(waiting).map(|waiter| (waiter, Err(stopped().into()))).collect()
    }

    /// Cuts the power. The written events survive all or none, because the log drops an incomplete group at
    /// its end.
    pub(crate) fn crash(&mut self, chance: &mut Chance) {
        if chance.once_in(2) {
            self.make_durable();
        }
        self.written.clear();
        self.results.clear();
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
        let first = of_command.first()?;
        let last = of_command.last()?;
        Some(FoundCommand {
            first: (*first).clone(),
            last_revision: last.revision,
            last_position: last.position,
        })
    }
}
