//! The runtime of one process: all its instances, as a fold of the log.
//!
//! A step function. What always holds: everything it knows comes from the log in log order, so a crash
//! between any two steps loses nothing and a repeat is harmless; an output is sent only once its
//! transition is on disk, under an id derived from it; a transition takes all inputs that wait, and none
//! is made while a command of the instance has no answer or when there is no move to make; after the end
//! nothing is emitted. An instance whose command is not answered holds back no other. A transition that
//! can't be appended is tried again after a growing wait.
//!
//! An answer finds its output by the event's `reply_to`; an event without one (written before there was
//! `reply_to`, or by somebody else's command of the same id) answers the output with its command id.
//!
//! Two runtimes of one process may work at once: the stream's expected revision lets one transition
//! through, and the other runtime sees it in the log.

mod error;
mod instance;
mod parked;
mod row;
mod steps;

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use crate::envelope::{Origin, RecordedEvent};
use crate::id::{CommandId, Position};
use crate::parking::{Entity, Parked, Parking, Poison, caught};
use crate::payload::decode_json;
use crate::process::{
    DecidedKind, OutputId, Process, ProcessChange, ProcessCommand, ProcessRows, Step, Taken, TakenKind,
    Transition,
};
use crate::store::{Append, Filter};

pub use error::ProcessError;

use instance::{Instance, Pending, Waiting};

/// The schema version of every process's transitions. Version 1 recorded no moves.
const TRANSITION_VERSION: u16 = 2;

/// What the driver is to do.
pub enum Action<P: Process> {
    /// Append a transition; a failure is told to [`ProcessRuntime::on_append_failed`], success shows in
    /// the log.
    Append(String, Append),
    /// Send a command. Its events show in the log; any other answer is told to
    /// [`ProcessRuntime::on_result`].
    Command(Outgoing<P::Command>),
    /// Carry out an effect. Its answer, a command on an aggregate under the given origin, shows in the
    /// log when it makes events; otherwise [`ProcessRuntime::on_effect_answered`] is told.
    Effect(Outgoing<P::Effect>),
    /// Tell operators: an instance can't decide, and was parked.
    Parked(Poison),
}

/// Something to be sent, and by whom.
#[derive(Clone, Debug)]
pub struct Outgoing<T> {
    /// The instance that asks.
    pub instance: String,
    /// Which of its outputs it is.
    pub output: OutputId,
    /// What is sent.
    pub content: T,
    /// The ids it goes under; the command id is the idempotency key of an effect.
    pub origin: Origin,
}

/// An answer to a command that left no new event in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It had been done before.
    Done,
    /// There was nothing to do.
    Unchanged,
    /// The rules refuse it.
    Refused {
        /// The rejection's code.
        code: String,
        /// The rejection in words.
        detail: String,
    },
}

/// All instances of a process that have not ended.
pub struct ProcessRuntime<P: Process> {
    instances: HashMap<String, Instance<P>>,
    /// Commands and effects without an answer, by command id.
    unanswered: HashMap<CommandId, (String, OutputId)>,
    timers: BTreeSet<(Timestamp, String, OutputId)>,
    /// Instances whose transition was not appended, and when it is tried again.
    retries: BTreeSet<(Timestamp, String)>,
    /// Outputs whose sending came to nothing, and when they are sent again.
    resends: BTreeSet<(Timestamp, String, OutputId)>,
    takes: HashSet<&'static str>,
    /// Instances that may have something to send or to decide.
    touched: BTreeSet<String>,
    /// Instances whose rows are out of date.
    dirty: HashSet<String>,
    parking: Parking,
    position: Position,
    /// Whether the log was read to its head: before, an answer to anything may still come up in it.
    live: bool,
}

impl<P: Process> ProcessRuntime<P> {
    /// The runtime as of stored rows; of the log's start when there are none.
    pub fn restore(stored: ProcessRows) -> Result<Self, ProcessError> {
        let mut runtime = Self {
            instances: HashMap::new(),
            unanswered: HashMap::new(),
            timers: BTreeSet::new(),
            retries: BTreeSet::new(),
            resends: BTreeSet::new(),
            takes: P::takes().into_iter().collect(),
            touched: BTreeSet::new(),
            dirty: HashSet::new(),
            parking: Parking::default(),
            position: stored.checkpoint,
            live: false,
        };
        runtime.parking.restore(stored.parked);
        for (id, document) in stored.rows {
            let instance =
                row::read::<P>(&document).map_err(|reason| ProcessError::Row { process: P::NAME, reason })?;
            runtime.index(&id, &instance);
            runtime.touched.insert(id.clone());
            runtime.instances.insert(id, instance);
        }
        Ok(runtime)
    }

    fn index(&mut self, id: &str, instance: &Instance<P>) {
        for (output, pending) in &instance.outputs {
            match pending.kind {
                DecidedKind::Timer => {
                    self.timers.insert((pending.at, id.to_owned(), *output));
                }
                DecidedKind::Command | DecidedKind::Effect => {
                    self.unanswered.insert(pending.command_id, (id.to_owned(), *output));
                }
            }
        }
    }

    /// How far the log is folded in.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Instances that have not ended, or whose outputs have no answer yet.
    pub fn open_instances(&self) -> usize {
        self.instances.len()
    }

    /// Outputs that could not be carried out and wait for another attempt.
    pub fn failing_outputs(&self) -> usize {
        self.resends.len()
    }

    /// The events that the process follows the log for.
    pub fn filter() -> Filter {
        Filter::types(P::takes().into_iter().chain([P::TRANSITION])).and_replies_to(P::NAME)
    }

    /// When the next timer goes off.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, ..)| *at)
    }

    /// Returns the time at which [`ProcessRuntime::step`] has something to do, should nothing happen before.
    pub fn next_step(&self) -> Option<Timestamp> {
        let retry = self.retries.first().map(|(at, _)| *at);
        let resend = self.resends.first().map(|(at, ..)| *at);
        self.next_timer().into_iter().chain(retry).chain(resend).min()
    }

    /// The log was read to its head: from now on outputs are sent and decisions made.
    pub fn go_live(&mut self) {
        self.live = true;
    }

    /// Folds events of the log, in order; those it has seen are passed over. After an event that can't be
    /// taken in, and was parked, the same events are given again.
    pub fn on_events(&mut self, events: &[RecordedEvent]) -> Result<(), ProcessError> {
        let seen = self.position;
        for recorded in events.iter().filter(|recorded| recorded.position > seen) {
            self.take_in(recorded, None)?;
            self.position = recorded.position;
        }
        Ok(())
    }

    /// The log was looked at up to here and held nothing more for this process.
    pub fn on_reached(&mut self, position: Position) {
        self.position = self.position.max(position);
    }

    /// The output that an event answers, if it has no answer yet: the first event of a command is one.
    pub(super) fn answered_by(&self, recorded: &RecordedEvent) -> Option<(String, OutputId)> {
        let Some(reply_to) = &recorded.event.reply_to else {
            return self.unanswered.get(&recorded.event.command_id).cloned();
        };
        let is_own = reply_to.stream.category() == P::NAME;
        let instance = self.instances.get(reply_to.stream.id()).filter(|_| is_own)?;
        let is_open = instance.outputs.contains_key(&reply_to.output);
        is_open.then(|| (reply_to.stream.id().to_owned(), reply_to.output))
    }

    fn on_answer(&mut self, recorded: &RecordedEvent, id: &str, output: OutputId) {
        let kind = if recorded.is_noted() { TakenKind::Unchanged } else { TakenKind::Done };
        let taken = Taken {
            kind,
            stream: Some(recorded.stream.clone()),
            revision: Some(recorded.revision.0),
            output: Some(output),
            code: None,
            detail: None,
        };
        self.answered(id, output, taken, Some(recorded.event.id));
    }

    fn answered(&mut self, id: &str, output: OutputId, taken: Taken, cause: Option<crate::EventId>) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if let Some(pending) = instance.answer(output, taken, cause) {
            self.unanswered.remove(&pending.command_id);
        }
        self.touch(id);
        self.put_away(id);
    }

    fn on_event(&mut self, recorded: &RecordedEvent, waited: Option<&Parked>) -> Result<(), ProcessError> {
        if !self.takes.contains(recorded.event_type())
            || self.parking.is_skipped(&recorded.stream, recorded.revision, None)
        {
            return Ok(());
        }
        if let Some(entity) = self.parking.holds_stream(recorded) {
            self.parking.wait(entity, recorded.position);
            return Ok(());
        }
        let read = caught(|| P::read(recorded)).and_then(|read| read.map_err(|error| error.to_string()));
        let read = match read {
            // Skipped for an instance while it could still be read: now for all.
            Err(_) if self.parking.is_named_by_a_skip(recorded) => None,
            read => {
                let of_stream = || Entity::Stream(recorded.stream.clone());
                read.map_err(|reason| Self::poisoned(of_stream(), recorded, &reason))?
            }
        };
        let Some(incoming) = read else { return Ok(()) };
        let id = incoming.instance;
        let is_waited_for = waited.is_none_or(|parked| {
            parked.keys.contains(&id) || parked.poison.entity == Entity::Stream(recorded.stream.clone())
        });
        if !is_waited_for || self.parking.is_skipped(&recorded.stream, recorded.revision, Some(&id)) {
            return Ok(());
        }
        if self.waits(&id, recorded) {
            return Ok(());
        }
        if !self.instances.contains_key(&id) {
            if !incoming.starts {
                return Ok(());
            }
            let instance = Instance::started_by(recorded);
            self.instances.insert(id.clone(), instance);
        }
        if let Some(instance) = self.instances.get_mut(&id)
            && !instance.ended
        {
            instance.waiting.push(Waiting::event(recorded, incoming.event));
            self.touch(&id);
        }
        Ok(())
    }

    fn on_transition(&mut self, recorded: &RecordedEvent) -> Result<(), ProcessError> {
        let id = recorded.stream.id().to_owned();
        let poisoned = |reason: String| Self::unskippable(Entity::Key(id.clone()), recorded, &reason);
        let version = recorded.event.schema_version;
        if version > TRANSITION_VERSION {
            return Err(poisoned(format!("it has version {version}, at most {TRANSITION_VERSION} is known")));
        }
        let mut transition: Transition<P::Move> = decode_json(recorded.event_type(), &recorded.event.data)
            .map_err(|error| poisoned(error.to_string()))?;
        let instance =
            self.instances.get_mut(&id).ok_or_else(|| poisoned("no event started it".to_owned()))?;
        // All of it or nothing: an instance that is parked stands where it stood before.
        let mut after = instance.clone();
        let gone = caught(|| after.take(version, &mut transition)).flatten().map_err(poisoned)?;
        let added = caught(|| after.record(recorded, &transition)).flatten().map_err(poisoned)?;
        *instance = after;
        for (output, pending) in gone {
            self.unanswered.remove(&pending.command_id);
            self.timers.remove(&(pending.at, id.clone(), output));
        }
        for (output, pending) in added {
            if pending.kind == DecidedKind::Timer {
                self.timers.insert((pending.at, id.clone(), output));
            } else {
                self.unanswered.insert(pending.command_id, (id.clone(), output));
            }
        }
        self.touch(&id);
        self.put_away(&id);
        Ok(())
    }

    /// An ended instance keeps what is still to be answered, and nothing else.
    fn put_away(&mut self, id: &str) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if !instance.ended {
            return;
        }
        for (output, pending) in instance.close() {
            self.timers.remove(&(pending.at, id.to_owned(), output));
            self.unanswered.remove(&pending.command_id);
        }
        if instance.outputs.is_empty() {
            self.instances.remove(id);
            self.dirty.insert(id.to_owned());
        }
    }

    fn touch(&mut self, id: &str) {
        self.touched.insert(id.to_owned());
        self.dirty.insert(id.to_owned());
    }

    /// A command was answered without leaving a new event.
    pub fn on_result(&mut self, id: &str, output: OutputId, answer: Answer) {
        let Some(instance) = self.instances.get(id) else { return };
        let Some(pending) = instance.outputs.get(&output) else { return };
        let (kind, code, detail) = match answer {
            Answer::Done => (TakenKind::Done, None, None),
            Answer::Unchanged => (TakenKind::Unchanged, None, None),
            Answer::Refused { code, detail } => (TakenKind::Refused, Some(code), Some(detail)),
        };
        if pending.kind != DecidedKind::Command {
            return;
        }
        let taken = Taken { kind, stream: None, revision: None, output: Some(output), code, detail };
        self.answered(id, output, taken, None);
    }

    /// An effect was answered, and its answer changed nothing.
    pub fn on_effect_answered(&mut self, id: &str, output: OutputId) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if let Some(pending) = instance.outputs.remove(&output) {
            self.unanswered.remove(&pending.command_id);
            self.dirty.insert(id.to_owned());
        }
        self.put_away(id);
    }

    /// Nobody waits for the answer to an effect any more; should it still come, it shows in the log. An
    /// instance that has ended is done with it.
    pub fn on_effect_unanswered(&mut self, id: &str, output: OutputId) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if let Some(pending) = instance.outputs.get_mut(&output) {
            pending.given_up = true;
        }
        self.put_away(id);
    }

    /// Lets the timers that are due go off and tells how many mattered to an open instance.
    pub fn fire_due(&mut self, now: Timestamp) -> usize {
        let mut fired = 0;
        while let Some((at, id, output)) = self.timers.first().cloned() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            let taken = Taken {
                kind: TakenKind::Fired,
                stream: None,
                revision: None,
                output: Some(output),
                code: None,
                detail: None,
            };
            self.answered(&id, output, taken, None);
            fired += 1;
        }
        fired
    }

    /// What changed since the last call: to be stored whenever the driver likes, and told to
    /// [`ProcessRuntime::saved`] or [`ProcessRuntime::not_saved`].
    pub fn change(&mut self) -> ProcessChange {
        let rows = std::mem::take(&mut self.dirty).into_iter().map(|id| {
            let document = self.instances.get(&id).map(row::write);
            (id, document)
        });
        ProcessChange { rows: rows.collect(), parking: self.parking.change(), checkpoint: self.position }
    }

    /// Returns true if the next change parks or releases something.
    pub fn has_parked(&self) -> bool {
        self.parking.has_changed()
    }

    /// The last change was stored.
    pub fn saved(&mut self) {
        self.parking.stored();
    }

    /// The last change was not stored: the rows of these instances are out of date still.
    pub fn not_saved(&mut self, instances: Vec<String>) {
        self.dirty.extend(instances);
    }
}

/// The command id of an output: its own, or one that comes from the transition.
fn command_id<P: Process>(
    state: &P::State,
    kind: DecidedKind,
    step: &P::Step,
    transition: crate::EventId,
    ordinal: u32,
) -> CommandId {
    let command = (kind == DecidedKind::Command).then(|| P::command(state, step)).flatten();
    let own = command.and_then(|command| command.id());
    own.unwrap_or_else(|| CommandId::of_output(transition, ordinal))
}

/// Reads a decided output's step.
fn parse_step<S: Step>(name: &str, number: Option<u32>) -> Result<S, String> {
    S::parse(name, number).ok_or_else(|| format!("step `{name}` of number {number:?} is not known"))
}

impl<P: Process> Pending<P> {
    fn is_command(&self) -> bool {
        self.kind == DecidedKind::Command
    }
}

#[cfg(test)]
mod tests;
