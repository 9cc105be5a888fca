//! The runtime of one process: all its instances, computed from the log. A step function.
//!
//! Invariants:
//! - All state comes from the log, in the order of the log. A crash between any two steps loses nothing.
//! - An output is sent only after its transition is on disk, under an id that is derived from the
//!   transition. Sending it twice is therefore harmless.
//! - A transition takes in all waiting inputs of its instance. No transition is made while a command of the
//!   instance has no answer, or if the rules decide no move.
//! - An ended instance makes no transition and requests no output.
//! - An instance that waits for an answer does not delay other instances.
//!
//! An answer is assigned to its output by the event's `reply_to`. An event may have no `reply_to`, because it
//! is older than this field, or because another sender used the same command id. Such an event answers the
//! output with the same command id.
//!
//! Two runtimes of one process may run at the same time. Both append with the expected revision of the
//! instance's stream, so only one transition succeeds; the other runtime reads it from the log.
//!
//! On failure: a transition that can't be appended, and an output that can't be sent, are retried after a
//! growing wait. An instance that can't continue is parked ([`crate::parking`]).

mod error;
mod instance;
mod parked;
mod row;
mod steps;

use std::collections::{BTreeSet, HashMap, HashSet};

use jiff::Timestamp;

use crate::envelope::{Origin, RecordedEvent};
use crate::id::{CommandId, Position};
use crate::parking::{ApplyFailure, Entity, Parked, Parking, catch_panic};
use crate::payload::decode_json;
use crate::process::{
    Incoming, OutputId, Process, ProcessChange, ProcessCommand, ProcessRows, RecordedInput,
    RecordedInputKind, RecordedOutputKind, Step, Transition,
};
use crate::store::{Append, Filter};

pub use error::ProcessError;

use instance::{Instance, OpenOutput, WaitingInput};

/// Schema version of the transitions of every process. Version 1 recorded no moves.
const TRANSITION_VERSION: u16 = 2;

/// Action that the driver must carry out.
pub enum Action<P: Process> {
    /// Append a transition of the instance with this id. The driver reports a failure to
    /// [`ProcessRuntime::on_append_failed`]. After success, the runtime reads the transition from the log.
    Append(String, Append),
    /// Send a command. The runtime reads the command's events from the log. The driver reports any other
    /// result to [`ProcessRuntime::on_result`].
    Command(Outgoing<P::Command>),
    /// Carry out an effect. The answer is sent to an aggregate as a command with the given origin, and the
    /// runtime reads the events of that command from the log. If the answer causes no event, the driver calls
    /// [`ProcessRuntime::on_effect_answered`].
    Effect(Outgoing<P::Effect>),
    /// Report to operators that an instance could not decide and was parked.
    Parked(ApplyFailure),
}

/// Command or effect to send, with its origin.
#[derive(Clone, Debug)]
pub struct Outgoing<T> {
    /// Id of the instance that requested the output.
    pub instance: String,
    /// Id of the output within the instance.
    pub output: OutputId,
    /// Command or effect with all its data.
    pub content: T,
    /// Ids of the command. For an effect, the command id is the idempotency key.
    pub origin: Origin,
}

/// Result of a command that appended no new event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommandAnswer {
    /// The command was done before, by an earlier attempt.
    Done,
    /// The command changed nothing.
    Unchanged,
    /// The aggregate's rules rejected the command.
    Refused {
        /// Stable code of the rejection, as in `insufficient-stock`.
        code: String,
        /// Text of the rejection for people.
        detail: String,
    },
}

/// Runtime with all open instances of a process.
pub struct ProcessRuntime<P: Process> {
    instances: HashMap<String, Instance<P>>,
    /// Instance and output of each command or effect without an answer, by command id.
    unanswered: HashMap<CommandId, (String, OutputId)>,
    timers: BTreeSet<(Timestamp, String, OutputId)>,
    /// Instances whose transition was not appended, with the time of the next attempt.
    retries: BTreeSet<(Timestamp, String)>,
    /// Outputs that could not be sent, with the time of the next attempt.
    resends: BTreeSet<(Timestamp, String, OutputId)>,
    event_types: HashSet<&'static str>,
    /// Instances that may have an output to send or a move to decide.
    touched: BTreeSet<String>,
    /// Instances whose stored rows are out of date.
    dirty: HashSet<String>,
    parking: Parking,
    position: Position,
    /// True after the log was read to its head. Until then, the log may still hold the answer to an output,
    /// so nothing is sent.
    live: bool,
}

impl<P: Process> ProcessRuntime<P> {
    /// Makes a runtime from stored rows. Without rows, the runtime starts at the beginning of the log.
    pub fn restore(stored: ProcessRows) -> Result<Self, ProcessError> {
        let mut runtime = Self {
            instances: HashMap::new(),
            unanswered: HashMap::new(),
            timers: BTreeSet::new(),
            retries: BTreeSet::new(),
            resends: BTreeSet::new(),
            event_types: P::event_types().into_iter().collect(),
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
                RecordedOutputKind::Timer => {
                    self.timers.insert((pending.at, id.to_owned(), *output));
                }
                RecordedOutputKind::Command | RecordedOutputKind::Effect => {
                    self.unanswered.insert(pending.command_id, (id.to_owned(), *output));
                }
            }
        }
    }

    /// Position up to which the log has been processed.
    pub fn position(&self) -> Position {
        self.position
    }

    /// Number of instances that have not ended, or that have outputs without an answer.
    pub fn open_instances(&self) -> usize {
        self.instances.len()
    }

    /// Number of outputs that could not be sent and wait for a retry.
    pub fn failing_outputs(&self) -> usize {
        self.resends.len()
    }

    /// Returns the filter for the events that the runtime must read.
    pub fn filter() -> Filter {
        Filter::types(P::event_types().into_iter().chain([P::TRANSITION])).and_replies_to(P::NAME)
    }

    /// Returns the time at which the next timer fires; `None` if no timer is set.
    pub fn next_timer(&self) -> Option<Timestamp> {
        self.timers.first().map(|(at, ..)| *at)
    }

    /// Returns the time at which [`ProcessRuntime::step`] must be called even if nothing else happens; `None`
    /// if no timer and no retry waits.
    pub fn next_step(&self) -> Option<Timestamp> {
        let retry = self.retries.first().map(|(at, _)| *at);
        let resend = self.resends.first().map(|(at, ..)| *at);
        self.next_timer().into_iter().chain(retry).chain(resend).min()
    }

    /// Lets the runtime send outputs and decide moves. The driver calls this function after it has read the
    /// log to its head.
    pub fn go_live(&mut self) {
        self.live = true;
    }

    /// Processes events of the log, in order. Events at or before the current position are ignored. If an
    /// event can't be applied, the driver parks the entity in the error. It then calls again with the same
    /// events.
    pub fn on_events(&mut self, events: &[RecordedEvent]) -> Result<(), ProcessError> {
        let start = self.position;
        for recorded in events.iter().filter(|recorded| recorded.position > start) {
            self.take_in(recorded, None)?;
            self.position = recorded.position;
        }
        Ok(())
    }

    /// Records that the log was read up to `position` and holds no further event for this process.
    pub fn on_reached(&mut self, position: Position) {
        self.position = self.position.max(position);
    }

    /// Returns the instance and the open output that an event answers. The first event of a command answers
    /// the output; the later ones find it answered.
    pub(super) fn output_of_answer(&self, recorded: &RecordedEvent) -> Option<(String, OutputId)> {
        let Some(reply_to) = &recorded.event.reply_to else {
            return self.unanswered.get(&recorded.event.command_id).cloned();
        };
        let is_own = reply_to.stream.category() == P::NAME;
        let instance = self.instances.get(reply_to.stream.id()).filter(|_| is_own)?;
        let is_open = instance.outputs.contains_key(&reply_to.output);
        is_open.then(|| (reply_to.stream.id().to_owned(), reply_to.output))
    }

    fn on_answer(&mut self, recorded: &RecordedEvent, id: &str, output: OutputId) {
        let kind = if recorded.is_noted() { RecordedInputKind::Unchanged } else { RecordedInputKind::Done };
        let answer = RecordedInput {
            kind,
            stream: Some(recorded.stream.clone()),
            revision: Some(recorded.revision.0),
            output: Some(output),
            code: None,
            detail: None,
        };
        self.record_answer(id, output, answer, Some(recorded.event.id));
    }

    fn record_answer(
        &mut self,
        id: &str,
        output: OutputId,
        answer: RecordedInput,
        cause: Option<crate::EventId>,
    ) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if let Some(pending) = instance.answer(output, answer, cause) {
            self.unanswered.remove(&pending.command_id);
        }
        self.touch(id);
        self.remove_if_ended(id);
    }

    /// Processes an event that is not a transition. If the event waited for a parked entity, `released` is
    /// this entity, and only its instances take the event in.
    fn on_event(&mut self, recorded: &RecordedEvent, released: Option<&Parked>) -> Result<(), ProcessError> {
        if !self.event_types.contains(recorded.event_type())
            || self.parking.is_skipped(&recorded.stream, recorded.revision, None)
        {
            return Ok(());
        }
        if let Some(entity) = self.parking.blocking_stream(recorded) {
            self.parking.wait(entity, recorded.position);
            return Ok(());
        }
        let Some(incoming) = self.read_incoming(recorded)? else { return Ok(()) };
        let id = incoming.instance;
        let is_concerned = released.is_none_or(|parked| {
            parked.keys.contains(&id) || parked.failure.entity == Entity::Stream(recorded.stream.clone())
        });
        if !is_concerned || self.parking.is_skipped(&recorded.stream, recorded.revision, Some(&id)) {
            return Ok(());
        }
        if self.wait_if_parked(&id, recorded) {
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
            instance.waiting.push(WaitingInput::event(recorded, incoming.event));
            self.touch(&id);
        }
        Ok(())
    }

    /// Decodes an event for the process; `None` if the event does not concern it.
    fn read_incoming(&self, recorded: &RecordedEvent) -> Result<Option<Incoming<P::Event>>, ProcessError> {
        let result =
            catch_panic(|| P::read(recorded)).and_then(|read| read.map_err(|error| error.to_string()));
        match result {
            // An operator skipped the event for one instance while it was still readable. Now all instances
            // skip it.
            Err(_) if self.parking.has_skip_for(recorded) => Ok(None),
            Err(reason) => {
                Err(Self::apply_failed(Entity::Stream(recorded.stream.clone()), recorded, &reason))
            }
            Ok(incoming) => Ok(incoming),
        }
    }

    fn on_transition(&mut self, recorded: &RecordedEvent) -> Result<(), ProcessError> {
        let id = recorded.stream.id().to_owned();
        let failed = |reason: String| Self::unskippable(Entity::Key(id.clone()), recorded, &reason);
        let version = recorded.event.schema_version;
        if version > TRANSITION_VERSION {
            let reason = format!(
                "the transition has version {version}; this program reads up to {TRANSITION_VERSION}"
            );
            return Err(failed(reason));
        }
        let mut transition: Transition<P::Move> = decode_json(recorded.event_type(), &recorded.event.data)
            .map_err(|error| failed(error.to_string()))?;
        let instance =
            self.instances.get_mut(&id).ok_or_else(|| failed("no event started the instance".to_owned()))?;
        // Work on a copy, so that an instance that is parked keeps its state from before the transition.
        let mut after = instance.clone();
        let answered = catch_panic(|| after.apply(version, &mut transition)).flatten().map_err(failed)?;
        let added = catch_panic(|| after.record(recorded, &transition)).flatten().map_err(failed)?;
        *instance = after;
        for (output, pending) in answered {
            self.unanswered.remove(&pending.command_id);
            self.timers.remove(&(pending.at, id.clone(), output));
        }
        for (output, pending) in added {
            if pending.kind == RecordedOutputKind::Timer {
                self.timers.insert((pending.at, id.clone(), output));
            } else {
                self.unanswered.insert(pending.command_id, (id.clone(), output));
            }
        }
        self.touch(&id);
        self.remove_if_ended(&id);
        Ok(())
    }

    /// Drops the data of an instance that has ended, except outputs that wait for an answer. Removes the
    /// instance if it has no such output.
    fn remove_if_ended(&mut self, id: &str) {
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

    /// Accepts the result of a command that appended no new event.
    pub fn on_result(&mut self, id: &str, output: OutputId, answer: CommandAnswer) {
        let Some(instance) = self.instances.get(id) else { return };
        let Some(pending) = instance.outputs.get(&output) else { return };
        let (kind, code, detail) = match answer {
            CommandAnswer::Done => (RecordedInputKind::Done, None, None),
            CommandAnswer::Unchanged => (RecordedInputKind::Unchanged, None, None),
            CommandAnswer::Refused { code, detail } => (RecordedInputKind::Refused, Some(code), Some(detail)),
        };
        if pending.kind != RecordedOutputKind::Command {
            return;
        }
        let input = RecordedInput { kind, stream: None, revision: None, output: Some(output), code, detail };
        self.record_answer(id, output, input, None);
    }

    /// Accepts the answer to an effect, if the answer changed no aggregate.
    pub fn on_effect_answered(&mut self, id: &str, output: OutputId) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if let Some(pending) = instance.outputs.remove(&output) {
            self.unanswered.remove(&pending.command_id);
            self.dirty.insert(id.to_owned());
        }
        self.remove_if_ended(id);
    }

    /// Records that the reactor stopped waiting for the answer to an effect. A late answer is still read from
    /// the log. An instance that has ended drops the effect.
    pub fn on_effect_unanswered(&mut self, id: &str, output: OutputId) {
        let Some(instance) = self.instances.get_mut(id) else { return };
        if let Some(pending) = instance.outputs.get_mut(&output) {
            pending.given_up = true;
        }
        self.remove_if_ended(id);
    }

    /// Fires all timers that are due. Returns their number.
    pub fn fire_due(&mut self, now: Timestamp) -> usize {
        let mut fired = 0;
        while let Some((at, id, output)) = self.timers.first().cloned() {
            if at > now {
                break;
            }
            self.timers.pop_first();
            let firing = RecordedInput {
                kind: RecordedInputKind::Fired,
                stream: None,
                revision: None,
                output: Some(output),
                code: None,
                detail: None,
            };
            self.record_answer(&id, output, firing, None);
            fired += 1;
        }
        fired
    }

    /// Returns the change since the last call. The driver stores it and then calls [`ProcessRuntime::saved`] or
    /// [`ProcessRuntime::not_saved`]. It may store changes as rarely as it likes.
    pub fn change(&mut self) -> ProcessChange {
        let rows = std::mem::take(&mut self.dirty).into_iter().map(|id| {
            let document = self.instances.get(&id).map(row::write);
            (id, document)
        });
        ProcessChange { rows: rows.collect(), parking: self.parking.change(), checkpoint: self.position }
    }

    /// Returns true if the next change parks or releases an entity.
    pub fn has_parked(&self) -> bool {
        self.parking.has_changed()
    }

    /// Records that the last change was stored.
    pub fn saved(&mut self) {
        self.parking.stored();
    }

    /// Records that the last change was not stored. `instances` are the ids in this change, whose rows are
    /// still out of date.
    pub fn not_saved(&mut self, instances: Vec<String>) {
        self.dirty.extend(instances);
    }
}

/// Returns the command id of an output: the command's own id, or an id derived from the transition.
fn command_id<P: Process>(
    state: &P::State,
    kind: RecordedOutputKind,
    step: &P::Step,
    transition: crate::EventId,
    ordinal: u32,
) -> CommandId {
    let command = (kind == RecordedOutputKind::Command).then(|| P::command(state, step)).flatten();
    let own = command.and_then(|command| command.id());
    own.unwrap_or_else(|| CommandId::of_output(transition, ordinal))
}

/// Parses the step of a recorded output.
fn parse_step<S: Step>(name: &str, number: Option<u32>) -> Result<S, String> {
    S::parse(name, number).ok_or_else(|| format!("step `{name}` with number {number:?} is unknown"))
}

impl<P: Process> OpenOutput<P> {
    fn is_command(&self) -> bool {
        self.kind == RecordedOutputKind::Command
    }
}

#[cfg(test)]
mod tests;
