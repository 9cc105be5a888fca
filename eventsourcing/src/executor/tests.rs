//! Tests of the executor with a log in memory. The test decides the order in which the log answers.

mod panics;

use std::collections::{HashMap, VecDeque};

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::cache::STATE_PARTS;
use super::*;
use crate::command::Completion;
use crate::decider::{Context, Rejection};
use crate::envelope::{Actor, Origin};
use crate::id::CorrelationId;
use crate::store::{APPEND_EVENTS_MAX, Expected};
use crate::testkit::noon;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Taken {
    units: u32,
}

crate::event_enum! {
    /// Events of a shelf.
    pub(crate) enum ShelfEvent { Taken = "shelf.taken" v 1 }
}

#[derive(Clone, Debug, thiserror::Error)]
#[error("the shelf has only 50 units")]
struct Empty;

impl Rejection for Empty {
    fn code(&self) -> &'static str {
        "empty"
    }
}

/// Number of units for which `decide` panics.
const DECIDE_PANICS: u32 = 1_000;
/// Number of units for which `evolve` panics.
const EVOLVE_PANICS: u32 = 1_001;

/// Shelf of 50 units. Taking 0 units changes nothing. Taking `u32::MAX` units causes too many events.
#[derive(Debug)]
struct Shelf;

impl Decider for Shelf {
    const CATEGORY: &'static str = "shelf";
    type State = u32;
    type Command = u32;
    type Event = ShelfEvent;
    type Rejection = Empty;

    fn decide(taken: &u32, units: &u32, _: &Context) -> Result<Vec<ShelfEvent>, Empty> {
        match *units {
            0 => Ok(Vec::new()),
            DECIDE_PANICS => panic!("the rules have a bug"),
            EVOLVE_PANICS => Ok(vec![Taken { units: EVOLVE_PANICS }.into()]),
            u32::MAX => Ok(vec![Taken { units: 0 }.into(); APPEND_EVENTS_MAX + 1]),
            units if taken + units > 50 => Err(Empty),
            units => Ok(vec![Taken { units }.into()]),
        }
    }

    fn evolve(taken: u32, event: &ShelfEvent) -> u32 {
        let ShelfEvent::Taken(event) = event;
        assert!(event.units != EVOLVE_PANICS, "the rules have a bug");
        taken + event.units
    }
}

struct Rig {
    executor: Executor<Shelf>,
    log: HashMap<StreamName, Vec<RecordedEvent>>,
    pending: VecDeque<Action<Shelf>>,
    answers: HashMap<Ticket, CommandResult<Shelf>>,
    loads: HashMap<Ticket, Option<Loaded<Shelf>>>,
    appends: usize,
    finds: usize,
    /// First revision of each read.
    reads: Vec<Revision>,
}

fn shelf() -> StreamName {
    StreamName::new("shelf", "a")
}

fn take(id: u128, units: u32) -> CommandRequest<u32> {
    let correlation = CorrelationId::from(Uuid::nil());
    CommandRequest::new(
        shelf(),
        units,
        Origin::new(Uuid::from_u128(id), Actor::new("test", "x"), correlation),
    )
}

impl Rig {
    fn new(exclusive: bool) -> Self {
        Self {
            executor: Executor::new(1, exclusive),
            log: HashMap::new(),
            pending: VecDeque::new(),
            answers: HashMap::new(),
            loads: HashMap::new(),
            appends: 0,
            finds: 0,
            reads: Vec::new(),
        }
    }

    fn send(&mut self, ticket: Ticket, request: CommandRequest<u32>) {
        let actions = self.executor.on_command(ticket, request, noon());
        self.pending.extend(actions);
    }

    fn drain(&mut self) {
        while let Some(action) = self.pending.pop_front() {
            self.perform(action);
        }
    }

    fn perform(&mut self, action: Action<Shelf>) {
        let next = match action {
            Action::Read(stream, from) => {
                self.reads.push(from);
                let events = self
                    .log
                    .get(&stream)
                    .map(|events| events.iter().filter(|event| event.revision >= from).cloned().collect());
                self.executor.on_read(&stream, Ok(events.unwrap_or_default()), noon())
            }
            Action::Find(stream, command) => {
                self.finds += 1;
                let found = self.find(&stream, command);
                self.executor.on_found(&stream, command, Ok(found), noon())
            }
            Action::Append(append) => {
                let stream = append.stream.clone();
                let result = self.append(append);
                self.executor.on_appended(&stream, result, noon())
            }
            Action::Answer(ticket, result) => {
                assert!(self.answers.insert(ticket, result).is_none(), "ticket {ticket} answered twice");
                Vec::new()
            }
            Action::AnswerLoad(ticket, result) => {
                self.loads.insert(ticket, result.unwrap());
                Vec::new()
            }
        };
        self.pending.extend(next);
    }

    fn find(&self, stream: &StreamName, command: CommandId) -> Option<FoundCommand> {
        let events = self.log.get(stream)?;
        let of_command = || events.iter().filter(|event| event.event.command_id == command);
        let last = of_command().next_back()?;
        let first = of_command().next()?.clone();
        Some(FoundCommand { first, last_revision: last.revision, last_position: last.position })
    }

    fn append(&mut self, append: Append) -> Result<Appended, AppendError> {
        self.appends += 1;
        let stream = append.stream;
        let events = self.log.entry(stream.clone()).or_default();
        let current = events.last().map(|event| event.revision);
        if append.expected != Expected::Any && append.expected != Expected::from_last(current) {
            return Err(AppendError::Conflict { stream, current });
        }
        let exists = |id| events.iter().any(|event| event.event.id == id);
        if append.events.iter().any(|event| exists(event.id)) {
            return Err(AppendError::Duplicate { stream });
        }
        let mut positions = Vec::new();
        for event in append.events {
            let revision = Revision::after(events.last().map(|event| event.revision));
            let position = Position(events.len() as u64 + 1);
            positions.push(position);
            events.push(RecordedEvent { position, stream: stream.clone(), revision, event });
        }
        Ok(Appended { first_revision: Revision::after(current), positions })
    }

    fn answer(&mut self, ticket: Ticket) -> CommandResult<Shelf> {
        self.answers.remove(&ticket).expect("the ticket was answered")
    }

    fn done(&mut self, ticket: Ticket) -> (u64, Completion, u32) {
        let outcome = self.answer(ticket).expect("the command was done");
        (outcome.revision.0, outcome.completion, *outcome.state)
    }
}

#[test]
fn a_command_is_answered_with_the_revision_of_its_event() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 3));
    rig.drain();
    rig.send(2, take(2, 4));
    rig.drain();
    assert_eq!(rig.done(1), (0, Completion::Appended, 3));
    assert_eq!(rig.done(2), (1, Completion::Appended, 7));
}

#[test]
fn waiting_commands_on_one_stream_share_an_append() {
    let mut rig = Rig::new(true);
    for ticket in 0..200 {
        rig.send(ticket, take(u128::from(ticket) + 1, 1).repeatable());
    }
    rig.drain();
    let confirmed = (0..200).filter(|ticket| rig.answer(*ticket).is_ok()).count();
    assert_eq!((confirmed, rig.log[&shelf()].len()), (50, 50));
    assert!(rig.appends <= 3, "{} appends", rig.appends);
}

#[test]
fn commands_of_a_batch_are_answered_only_after_its_append() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 50));
    let Some(Action::Read(..)) = rig.pending.front() else { panic!("the stream is read first") };
    let read = rig.pending.pop_front().unwrap();
    rig.perform(read);
    rig.send(2, take(2, 1));
    assert!(rig.answers.is_empty(), "the rejection depends on an append that is still running");
    rig.drain();
    assert_eq!(rig.done(1), (0, Completion::Appended, 50));
    assert!(matches!(rig.answer(2), Err(CommandError::Rejected(Empty))));
}

#[test]
fn a_command_that_is_too_large_does_not_fail_the_others_of_its_batch() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 1));
    rig.send(2, take(2, u32::MAX));
    rig.send(3, take(3, 2));
    rig.drain();
    assert!(matches!(rig.answer(2), Err(CommandError::TooLarge { .. })));
    assert_eq!(rig.done(3).1, Completion::Appended, "the other commands of the batch succeed");
}

#[test]
fn the_cache_drops_the_least_recently_used_states_over_its_limit() {
    let mut cache = Cache::<Shelf>::new(2 * (STATE_PARTS + 1));
    let stream = |n: u32| StreamName::new("shelf", &n.to_string());
    for n in 0..3 {
        cache.put(stream(n), Folded::empty());
    }
    assert!(cache.get(&stream(0)).is_none() && cache.get(&stream(1)).is_some());
    assert!(cache.pop(&stream(2)).is_some() && cache.get(&stream(2)).is_none());
    cache.put(stream(3), Folded::empty());
    assert!(cache.get(&stream(1)).is_some(), "a state that was taken out no longer counts");
}

#[test]
fn the_cache_keeps_the_state_that_was_added_last_even_over_its_limit() {
    let mut cache = Cache::<Shelf>::new(0);
    let stream = |n: u32| StreamName::new("shelf", &n.to_string());
    for n in 0..2 {
        cache.put(stream(n), Folded::empty());
        assert!(cache.get(&stream(n)).is_some());
    }
    assert!(cache.get(&stream(0)).is_none());
}

// Proves: common.repeat-gets-first-result
#[test]
fn a_repeat_is_answered_with_the_earlier_result_after_later_changes() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 3).repeatable());
    rig.send(2, take(2, 47));
    rig.drain();
    rig.send(3, take(1, 3).repeatable());
    rig.drain();
    assert_eq!(rig.done(3), (0, Completion::Repeated, 50));
    assert_eq!(rig.log[&shelf()].len(), 2);
}

#[test]
fn a_repeat_that_decides_events_is_recognised_by_their_ids() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 3).repeatable());
    rig.drain();
    rig.send(2, take(1, 3).repeatable());
    rig.drain();
    assert_eq!(rig.done(2), (0, Completion::Repeated, 3));
    assert_eq!(rig.log[&shelf()].len(), 1);
}

// Proves: common.repeat-gets-first-result
#[test]
fn the_same_command_sent_twice_at_once_is_done_once() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 3).repeatable());
    rig.send(2, take(1, 3).repeatable());
    rig.drain();
    assert_eq!(rig.done(1).1, Completion::Appended);
    assert_eq!(rig.done(2).1, Completion::Repeated);
    assert_eq!(rig.log[&shelf()].len(), 1);
}

// Proves: common.key-of-another-request
#[test]
fn a_command_id_with_another_request_is_rejected() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 3).repeatable());
    rig.drain();
    let mut other = take(1, 5).repeatable();
    other.origin.request_hash = Some(crate::id::RequestHash([7; 16]));
    rig.send(2, other);
    rig.drain();
    assert!(matches!(rig.answer(2), Err(CommandError::KeyReused)));
}

// Proves: common.unchanged-write
#[test]
fn a_repeatable_command_that_changes_nothing_appends_a_noted_event() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 0).repeatable());
    rig.drain();
    assert_eq!(rig.done(1), (0, Completion::Unchanged, 0));
    assert!(rig.log[&shelf()][0].is_noted());
    rig.send(2, take(1, 0).repeatable());
    rig.drain();
    assert_eq!(rig.done(2).1, Completion::Repeated);
    rig.send(3, take(3, 0));
    rig.drain();
    assert_eq!(rig.done(3), (0, Completion::Unchanged, 0));
}

#[test]
fn a_command_that_is_sent_once_needs_no_lookup() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 51));
    rig.send(2, take(2, 0));
    rig.send(3, take(3, 1));
    rig.drain();
    assert_eq!(rig.finds, 0);
}

#[test]
fn a_command_is_decided_with_the_events_of_other_writers() {
    let mut rig = Rig::new(false);
    rig.send(1, take(1, 3));
    rig.drain();
    let mut other = Rig::new(false);
    other.log = std::mem::take(&mut rig.log);
    other.send(1, take(9, 47));
    other.drain();
    rig.log = other.log;
    rig.send(2, take(2, 1));
    rig.drain();
    assert!(
        matches!(rig.answer(2), Err(CommandError::Rejected(Empty))),
        "the command is decided with the state in the log"
    );
    assert_eq!(rig.reads, [Revision::FIRST, Revision(1), Revision(2)], "events in memory are not read again");
    rig.send(3, take(3, 0));
    rig.drain();
    assert_eq!(rig.done(3), (1, Completion::Unchanged, 50));
}

#[test]
fn a_rejection_is_checked_against_the_log_if_others_can_write() {
    let mut rig = Rig::new(false);
    rig.send(1, take(1, 50));
    rig.drain();
    rig.send(2, take(2, 1));
    assert!(
        matches!(rig.pending.front(), Some(Action::Read(_, Revision(1)))),
        "the read starts after the events in memory"
    );
    rig.drain();
    assert!(matches!(rig.answer(2), Err(CommandError::Rejected(Empty))));
}

#[test]
fn a_command_fails_with_a_conflict_after_the_last_retry() {
    let mut rig = Rig::new(false);
    rig.send(1, take(1, 1));
    let mut attempts = 0;
    while let Some(action) = rig.pending.pop_front() {
        if let Action::Append(append) = action {
            attempts += 1;
            let conflict = AppendError::Conflict { stream: append.stream, current: None };
            let next = rig.executor.on_appended(&shelf(), Err(conflict), noon());
            rig.pending.extend(next);
        } else {
            rig.perform(action);
        }
    }
    assert_eq!(attempts, CONFLICT_RETRIES_MAX + 1);
    assert!(matches!(rig.answer(1), Err(CommandError::Conflict { .. })));
}

#[test]
fn a_failed_append_fails_its_commands_and_drops_the_state_in_memory() {
    let mut rig = Rig::new(true);
    rig.send(1, take(1, 1));
    let read = rig.pending.pop_front().unwrap();
    rig.perform(read);
    let Some(Action::Append(_)) = rig.pending.pop_front() else { panic!("the first action is the append") };
    rig.send(2, take(2, 1));
    let failed = AppendError::Store(StoreError::Unavailable("no space".into()));
    let next = rig.executor.on_appended(&shelf(), Err(failed), noon());
    rig.pending.extend(next);
    rig.drain();
    assert!(matches!(rig.answer(1), Err(CommandError::Store(_))));
    assert_eq!(
        rig.done(2),
        (0, Completion::Appended, 1),
        "the second command is decided with the log, which holds no event of the first"
    );
}

// Proves: common.repeat-before-revision
#[test]
fn an_outdated_revision_is_rejected_unless_the_command_is_a_repeat() {
    let mut rig = Rig::new(true);
    let at = |revision, request: CommandRequest<u32>| CommandRequest {
        if_match: Some(Revision(revision).into()),
        ..request
    };
    rig.send(1, take(1, 1));
    rig.drain();
    rig.send(2, at(0, take(2, 1)).repeatable());
    rig.drain();
    assert_eq!(rig.done(2).0, 1);
    rig.send(3, at(0, take(2, 1)).repeatable());
    rig.send(4, at(0, take(4, 1)).repeatable());
    rig.drain();
    assert_eq!(rig.done(3).1, Completion::Repeated);
    assert!(matches!(rig.answer(4), Err(CommandError::RevisionMismatch { current: Some(Revision(1)) })));
}

#[test]
fn a_load_returns_the_state_on_disk() {
    let mut rig = Rig::new(true);
    let actions = rig.executor.on_load(1, &shelf(), noon());
    rig.pending.extend(actions);
    rig.drain();
    assert!(rig.loads[&1].is_none());
    rig.send(2, take(2, 5).creating());
    let actions = rig.executor.on_load(3, &shelf(), noon());
    rig.pending.extend(actions);
    rig.drain();
    assert_eq!(rig.loads[&3].as_ref().map(|loaded| *loaded.state), Some(5));
}

/// Regression test for a bug that the simulation found. A copy of a command was looked up while the batch
/// with the first command was still being appended. The copy was not found, and then rejected because of the
/// effect of the first command.
#[test]
fn a_copy_in_the_same_batch_is_answered_as_a_repeat_even_if_the_append_is_slow() {
    for exclusive in [true, false] {
        let mut rig = Rig::new(exclusive);
        rig.send(1, take(1, 1));
        // Both arrive while another command is being appended, and could be decided together.
        for ticket in [2, 3] {
            rig.send(ticket, take(7, 40).repeatable());
        }
        while let Some(action) = rig.pending.pop_front() {
            // Appends are slower than all other operations.
            let is_append = |action: &Action<Shelf>| matches!(action, Action::Append(_));
            if is_append(&action) && rig.pending.iter().any(|other| !is_append(other)) {
                rig.pending.push_back(action);
            } else {
                rig.perform(action);
            }
        }
        assert_eq!(rig.answers[&2].as_ref().unwrap().completion, Completion::Appended);
        assert_eq!(rig.answers[&3].as_ref().unwrap().completion, Completion::Repeated);
    }
}
