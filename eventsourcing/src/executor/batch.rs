//! One round of decisions on one stream.

use std::collections::{HashSet, VecDeque};
use std::sync::Arc;

use jiff::Timestamp;

use crate::command::{CommandError, Completion};
use crate::decider::{Context, Decider, Rejection};
use crate::envelope::NewEvent;
use crate::id::{Revision, StreamName};
use crate::parking::{caught, without_values};
use crate::store::{APPEND_BYTES_MAX, APPEND_EVENTS_MAX, Append, Expected, exceeded};

use super::lane::{Lookup, Waiting};
use super::{BATCH_COMMANDS_MAX, Folded};

/// A decided command whose answer waits for the batch.
pub(super) struct Entry<D: Decider> {
    pub(super) waiting: Waiting<D>,
    pub(super) verdict: Result<Decided, CommandError<D::Rejection>>,
}

/// A command that is done once the batch is.
pub(super) struct Decided {
    /// Events it appends.
    pub(super) events: usize,
    pub(super) completion: Completion,
}

pub(super) struct Batch<D: Decider> {
    /// The state that it was decided in.
    pub(super) before: Folded<D>,
    /// The state with the batch's events in it.
    pub(super) folded: Folded<D>,
    pub(super) entries: Vec<Entry<D>>,
    /// None when nothing is to be appended.
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

/// What becomes of a command in a round.
enum Turn<D: Decider> {
    Entry(Result<Decided, CommandError<D::Rejection>>),
    /// It may be a repeat: look it up first.
    LookUp,
    /// The batch is full.
    NextRound,
    /// Folding its events panicked, and took the state of the batch with it.
    Spoiled(CommandError<D::Rejection>),
}

/// Decides what waits, in order; what can't be decided yet stays.
pub(super) fn decide_batch<D: Decider>(
    stream: &StreamName,
    before: Folded<D>,
    queue: &mut VecDeque<Waiting<D>>,
    now: Timestamp,
) -> Batch<D> {
    let (expected, position) = (Expected::from_last(before.revision), before.position);
    let state = D::State::clone(&before.state);
    let mut round =
        Round::<D> { stream, now, state, revision: before.revision, events: Vec::new(), bytes: 0 };
    let mut entries = Vec::new();
    let mut ids_in_batch = HashSet::new();
    let mut staying = VecDeque::new();
    while let Some(mut waiting) = queue.pop_front() {
        let is_first_of_its_id = !ids_in_batch.contains(&waiting.request.origin.command_id);
        let is_looked_up = matches!(waiting.lookup, Lookup::Wanted | Lookup::Asked);
        if is_looked_up || !is_first_of_its_id || entries.len() == BATCH_COMMANDS_MAX {
            if !is_looked_up && !is_first_of_its_id {
                waiting.lookup = Lookup::Wanted;
            }
            staying.push_back(waiting);
            continue;
        }
        match round.turn(&waiting) {
            Turn::Entry(verdict) => {
                ids_in_batch.insert(waiting.request.origin.command_id);
                entries.push(Entry { waiting, verdict });
            }
            Turn::LookUp => {
                waiting.lookup = Lookup::Wanted;
                staying.push_back(waiting);
            }
            Turn::NextRound => {
                staying.push_back(waiting);
                break;
            }
            Turn::Spoiled(error) => {
                // The others are decided again, from the state before.
                staying.extend(entries.drain(..).map(|entry: Entry<D>| entry.waiting));
                staying.append(queue);
                *queue = staying;
                if waiting.lookup == Lookup::NotNeeded {
                    waiting.lookup = Lookup::Wanted;
                    queue.push_front(waiting);
                    return decide_batch(stream, before, queue, now);
                }
                let entries = vec![Entry { waiting, verdict: Err(error) }];
                return Batch { folded: before.clone(), before, entries, append: None };
            }
        }
    }
    staying.append(queue);
    *queue = staying;
    let append = (!round.events.is_empty()).then(|| Append {
        stream: stream.clone(),
        expected,
        events: std::mem::take(&mut round.events),
    });
    let folded = Folded { state: Arc::new(round.state), revision: round.revision, position };
    Batch { before, folded, entries, append }
}

impl<D: Decider> Round<'_, D> {
    fn turn(&mut self, waiting: &Waiting<D>) -> Turn<D> {
        let may_be_a_repeat = waiting.lookup == Lookup::NotNeeded;
        if let Some(wanted) = &waiting.request.if_match
            && !wanted.is_met_by(self.revision)
        {
            // A repeat of a conditional write is answered as done, though the revision has moved on.
            if may_be_a_repeat {
                return Turn::LookUp;
            }
            return Turn::Entry(Err(CommandError::RevisionMismatch { current: self.revision }));
        }
        let context = Context { now: self.now, command_id: waiting.request.origin.command_id };
        let decided = match caught(|| D::decide(&self.state, &waiting.request.command, &context)) {
            Ok(decided) => decided,
            // What was done before is answered as done, whatever today's rules make of it.
            Err(_) if may_be_a_repeat => return Turn::LookUp,
            Err(reason) => return Turn::Entry(Err(undecided(&reason))),
        };
        match decided {
            Ok(events) if events.is_empty() && may_be_a_repeat => Turn::LookUp,
            Ok(events) => self.take(waiting, &events),
            Err(_) if may_be_a_repeat => Turn::LookUp,
            Err(rejection) => Turn::Entry(Err(CommandError::Rejected(rejection))),
        }
    }

    /// Adds the command's events to the batch, unless it is full.
    fn take(&mut self, waiting: &Waiting<D>, events: &[D::Event]) -> Turn<D> {
        let origin = &waiting.request.origin;
        let completion = if events.is_empty() { Completion::Unchanged } else { Completion::Appended };
        let envelopes: Vec<NewEvent> = if events.is_empty() && waiting.request.repeatable {
            vec![origin.noted(self.stream, self.now)]
        } else {
            let ordinals = 0_u32..;
            let envelope = |(event, ordinal)| origin.envelope(self.stream, ordinal, event, self.now);
            events.iter().zip(ordinals).map(envelope).collect()
        };
        // What no append can hold is refused alone; the others of the batch are not to suffer from it.
        if let Some((what, actual, limit)) = exceeded(&envelopes) {
            return Turn::Entry(Err(CommandError::TooLarge { what, actual, limit }));
        }
        let bytes: usize = envelopes.iter().map(|envelope| envelope.data.len()).sum();
        let fits = self.events.len() + envelopes.len() <= APPEND_EVENTS_MAX
            && self.bytes + bytes <= APPEND_BYTES_MAX;
        if !fits {
            return Turn::NextRound;
        }
        let count = envelopes.len();
        self.bytes += bytes;
        self.events.extend(envelopes);
        let before = std::mem::take(&mut self.state);
        match caught(|| events.iter().fold(before, D::evolve)) {
            Ok(after) => self.state = after,
            Err(reason) => return Turn::Spoiled(undecided(&reason)),
        }
        if count > 0 {
            self.revision = Some(Revision(Revision::after(self.revision).0 + count as u64 - 1));
        }
        Turn::Entry(Ok(Decided { events: count, completion }))
    }
}

fn undecided<R: Rejection>(reason: &str) -> CommandError<R> {
    CommandError::Undecided { reason: without_values(reason) }
}
