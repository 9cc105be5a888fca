//! One batch of decisions on one stream.
//!
//! Invariants: commands are decided in the order in which they arrived, each against the state after the
//! previous one. A batch holds each command id once and fits into one append.
//!
//! On failure: if `evolve` panics, the state of the batch is lost. The other commands are then decided again,
//! starting from the state before the batch.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use crate::command::{CommandError, Completion};
use crate::decider::{Context, Decider, Rejection};
use crate::envelope::NewEvent;
use crate::id::{Revision, StreamName};
use crate::parking::{catch_panic, without_values};
use crate::store::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, Expected, exceeded_limit};

use super::lane::{Lookup, Waiting};
use super::{BATCH_COMMANDS_MAX, Folded};

/// Decided command that is answered after the batch is on disk.
pub(super) struct Entry<D: Decider> {
    pub(super) waiting: Waiting<D>,
    pub(super) verdict: Result<Accepted, CommandError<D::Rejection>>,
}

/// Command that the rules accepted.
pub(super) struct Accepted {
    /// Number of events that the command appends.
    pub(super) event_count: usize,
    pub(super) completion: Completion,
}

pub(super) struct Batch<D: Decider> {
    /// State before the batch.
    pub(super) before: Folded<D>,
    /// State after the batch.
    pub(super) after: Folded<D>,
    pub(super) entries: Vec<Entry<D>>,
    /// Append that the batch needs; `None` if no command of the batch has events.
    pub(super) append: Option<Append>,
}

struct Round<'a, D: Decider> {
    stream: &'a StreamName,
    now: Timestamp,
    state: D::State,
    revision: Option<Revision>,
    events: Vec<NewEvent>,
    bytes: usize,
}

/// Result of the attempt to decide one command.
enum Attempt<D: Decider> {
    /// The command was decided and belongs to the batch.
    Verdict(Result<Accepted, CommandError<D::Rejection>>),
    /// The command may be a repeat and must be looked up before it is decided.
    LookUp,
    /// The batch is full; the command belongs to the next one.
    NextRound,
    /// `evolve` panicked on the command's events, and the state of the batch is lost.
    StateLost(CommandError<D::Rejection>),
}

/// Decides the waiting commands in order. Commands that can't be decided yet stay in the queue.
pub(super) fn decide_batch<D: Decider>(
    stream: &StreamName,
    before: Folded<D>,
    queue: &mut VecDeque<Waiting<D>>,
    now: Timestamp,
) -> Batch<D> {
    let expected = Expected::from_last(before.revision);
    let position = before.position;
    let state = D::State::clone(&before.state);
    let mut round =
        Round::<D> { stream, now, state, revision: before.revision, events: Vec::new(), bytes: 0 };
    let mut entries = Vec::new();
    let mut ids_in_batch = HashSet::new();
    let mut postponed = VecDeque::new();
    while let Some(mut waiting) = queue.pop_front() {
        let is_copy = ids_in_batch.contains(&waiting.request.origin.command_id);
        let waits_for_lookup = matches!(waiting.lookup, Lookup::Required | Lookup::Running);
        if waits_for_lookup || is_copy || entries.len() == BATCH_COMMANDS_MAX {
            if !waits_for_lookup && is_copy {
                waiting.lookup = Lookup::Required;
            }
            postponed.push_back(waiting);
            continue;
        }
        match round.decide(&waiting) {
            Attempt::Verdict(verdict) => {
                ids_in_batch.insert(waiting.request.origin.command_id);
                entries.push(Entry { waiting, verdict });
            }
            Attempt::LookUp => {
                waiting.lookup = Lookup::Required;
                postponed.push_back(waiting);
            }
            Attempt::NextRound => {
                postponed.push_back(waiting);
                break;
            }
            Attempt::StateLost(error) => {
                // The other commands are decided again, from the state before the batch.
                postponed.extend(entries.drain(..).map(|entry: Entry<D>| entry.waiting));
                postponed.append(queue);
                *queue = postponed;
                if waiting.lookup == Lookup::NotNeeded {
                    waiting.lookup = Lookup::Required;
                    queue.push_front(waiting);
                    return decide_batch(stream, before, queue, now);
                }
                let entries = vec![Entry { waiting, verdict: Err(error) }];
                return Batch { after: before.clone(), before, entries, append: None };
            }
        }
    }
    postponed.append(queue);
    *queue = postponed;
    let append = (!round.events.is_empty()).then(|| Append {
        stream: stream.clone(),
        expected,
        events: std::mem::take(&mut round.events),
    });
    let after = Folded { state: Arc::new(round.state), revision: round.revision, position };
    Batch { before, after, entries, append }
}

impl<D: Decider> Round<'_, D> {
    fn decide(&mut self, waiting: &Waiting<D>) -> Attempt<D> {
        let may_be_a_repeat = waiting.lookup == Lookup::NotNeeded;
        if let Some(condition) = &waiting.request.if_match
            && !condition.is_met_by(self.revision)
        {
            // A repeat of a done command succeeds, although the first attempt changed the revision.
            if may_be_a_repeat {
                return Attempt::LookUp;
            }
            return Attempt::Verdict(Err(CommandError::RevisionMismatch { current: self.revision }));
        }
        let context = Context { now: self.now, command_id: waiting.request.origin.command_id };
        let decision = match catch_panic(|| D::decide(&self.state, &waiting.request.command, &context)) {
            Ok(decision) => decision,
            // A repeat of a done command succeeds, even if the current rules panic on it.
            Err(_) if may_be_a_repeat => return Attempt::LookUp,
            Err(reason) => return Attempt::Verdict(Err(undecided(&reason))),
        };
        match decision {
            Ok(events) if events.is_empty() && may_be_a_repeat => Attempt::LookUp,
            Ok(events) => self.add(waiting, &events),
            Err(_) if may_be_a_repeat => Attempt::LookUp,
            Err(rejection) => Attempt::Verdict(Err(CommandError::Rejected(rejection))),
        }
    }

    /// Adds the events of an accepted command to the batch, unless the batch is full.
    fn add(&mut self, waiting: &Waiting<D>, events: &[D::Event]) -> Attempt<D> {
        let origin = &waiting.request.origin;
        let completion = if events.is_empty() { Completion::Unchanged } else { Completion::Appended };
        let envelopes: Vec<NewEvent> = if events.is_empty() && waiting.request.repeatable {
            vec![origin.noted(self.stream, self.now)]
        } else {
            let ordinals = 0_u32..;
            let envelope = |(event, ordinal)| origin.envelope(self.stream, ordinal, event, self.now);
            events.iter().zip(ordinals).map(envelope).collect()
        };
        // A command that exceeds the limits fails here, so that the other commands of the batch succeed.
        if let Some((what, actual, limit)) = exceeded_limit(&envelopes) {
            return Attempt::Verdict(Err(CommandError::TooLarge { what, actual, limit }));
        }
        let bytes: usize = envelopes.iter().map(|envelope| envelope.data.len()).sum();
        let fits = self.events.len() + envelopes.len() <= APPEND_EVENTS_MAX
            && self.bytes + bytes <= APPEND_BYTES_MAX;
        if !fits {
            return Attempt::NextRound;
        }
        let event_count = envelopes.len();
        self.bytes += bytes;
        self.events.extend(envelopes);
        let before = std::mem::take(&mut self.state);
        match catch_panic(|| events.iter().fold(before, D::evolve)) {
            Ok(after) => self.state = after,
            Err(reason) => return Attempt::StateLost(undecided(&reason)),
        }
        if event_count > 0 {
            self.revision = Some(Revision(Revision::after(self.revision).0 + event_count as u64 - 1));
        }
        Attempt::Verdict(Ok(Accepted { event_count, completion }))
    }
}

fn undecided<R: Rejection>(reason: &str) -> CommandError<R> {
    CommandError::Undecided { reason: without_values(reason) }
}
