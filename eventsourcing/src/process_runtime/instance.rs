//! One instance of a process: its state, its open outputs and its waiting inputs.
//!
//! Invariant: [`Instance::apply`] computes the state from recorded inputs and moves only.
//! [`Instance::decide`] changes nothing; it returns the transition to append.
//!
//! On failure: a panic of the rules is returned as text, together with the input that caused it. The caller
//! parks the instance.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::envelope::RecordedEvent;
use crate::id::{CommandId, CorrelationId, EventId, Position, Revision, StreamName};
use crate::parking::{ApplyFailure, Entity, catch_panic, without_values};
use crate::process::{
    Decision, Input, Output, OutputId, Process, RecordedInput, RecordedInputKind, RecordedOutput,
    RecordedOutputKind, Step, Transition,
};

use super::{command_id, parse_step};

/// Failure of the rules, a panic or too many moves: the index of the waiting input that caused it (`None` if
/// no input did), and the message.
type RulesFailure = (Option<usize>, String);

/// Input of a recorded transition, and the open output that it answers.
type TransitionInput<P> =
    (Input<<P as Process>::Event, <P as Process>::Step>, Option<(OutputId, OpenOutput<P>)>);

/// Open output: one without an answer.
pub(super) struct OpenOutput<P: Process> {
    pub(super) kind: RecordedOutputKind,
    pub(super) step: P::Step,
    pub(super) command_id: CommandId,
    /// Transition that requested the output.
    pub(super) transition: EventId,
    /// Time at which a timer fires; [`Timestamp::MIN`] for commands and effects.
    pub(super) at: Timestamp,
    /// True if the output was sent since this runtime started.
    pub(super) sent: bool,
    /// True for an effect whose reactor stopped waiting for the answer.
    pub(super) given_up: bool,
    /// Number of failed attempts to send the output.
    pub(super) losses: u32,
}

impl<P: Process> Clone for OpenOutput<P> {
    fn clone(&self) -> Self {
        Self { step: self.step.clone(), ..*self }
    }
}

/// Input that waits for the next transition.
pub(super) struct WaitingInput<P: Process> {
    /// Form in which the transition will record the input.
    pub(super) recorded: RecordedInput,
    pub(super) input: Input<P::Event, P::Step>,
    /// Event of the input; `None` for timers and for results without an event.
    pub(super) cause: Option<EventId>,
}

impl<P: Process> Clone for WaitingInput<P> {
    fn clone(&self) -> Self {
        Self { recorded: self.recorded.clone(), input: self.input.clone(), cause: self.cause }
    }
}

impl<P: Process> WaitingInput<P> {
    pub(super) fn event(source: &RecordedEvent, event: P::Event) -> Self {
        let recorded = RecordedInput {
            kind: RecordedInputKind::Event,
            stream: Some(source.stream.clone()),
            revision: Some(source.revision.0),
            output: None,
            code: None,
            detail: None,
        };
        Self { recorded, input: Input::Event(event), cause: Some(source.event.id) }
    }
}

pub(super) struct Instance<P: Process> {
    pub(super) state: P::State,
    /// Revision of the last transition.
    pub(super) revision: Option<Revision>,
    pub(super) correlation_id: CorrelationId,
    /// Event that started the instance.
    pub(super) started_by: EventId,
    pub(super) outputs: BTreeMap<OutputId, OpenOutput<P>>,
    pub(super) waiting: Vec<WaitingInput<P>>,
    pub(super) ended: bool,
    /// True while a transition is being appended, or waits for a retry.
    pub(super) deciding: bool,
    /// Number of failed attempts to append the current transition.
    pub(super) failed_appends: u32,
    /// Number of conflicts of the current transition. Conflicts at the same position of the process count
    /// once.
    pub(super) conflicts: u32,
    /// Position of the process at the last conflict.
    pub(super) conflicted_at: Option<Position>,
}

/// Largest number of moves in one transition. Rules that decide more moves are taken to be in an endless
/// loop.
const MOVES_MAX: usize = 64;

impl<P: Process> Clone for Instance<P> {
    fn clone(&self) -> Self {
        Self {
            state: self.state.clone(),
            correlation_id: self.correlation_id.clone(),
            outputs: self.outputs.clone(),
            waiting: self.waiting.clone(),
            ..*self
        }
    }
}

impl<P: Process> Instance<P> {
    pub(super) fn started_by(recorded: &RecordedEvent) -> Self {
        Self {
            state: P::State::default(),
            revision: None,
            correlation_id: recorded.event.correlation_id.clone(),
            started_by: recorded.event.id,
            outputs: BTreeMap::new(),
            waiting: Vec::new(),
            ended: false,
            deciding: false,
            failed_appends: 0,
            conflicts: 0,
            conflicted_at: None,
        }
    }

    /// Returns the event that causes the next transition: the event of the last waiting input that has one,
    /// or the event that started the instance.
    pub(super) fn last_cause(&self) -> EventId {
        self.waiting.iter().rev().find_map(|waiting| waiting.cause).unwrap_or(self.started_by)
    }

    /// Closes an output that has its answer. Adds the answer to the waiting inputs, unless the output is an
    /// effect or the instance has ended. Returns the output, if it was open.
    pub(super) fn answer(
        &mut self,
        output: OutputId,
        recorded: RecordedInput,
        cause: Option<EventId>,
    ) -> Option<OpenOutput<P>> {
        let pending = self.outputs.remove(&output)?;
        // The answer to an effect is an event of an aggregate. The instance reads this event like any other.
        if !self.ended && pending.kind != RecordedOutputKind::Effect {
            let input = result_input(&recorded, pending.step.clone());
            self.waiting.push(WaitingInput { recorded, input, cause });
        }
        Some(pending)
    }

    /// Describes why the instance can't continue, so that the caller can park it. `input` is the index of the
    /// waiting input that caused it; if it is `None`, the result names the last transition. `position` is the
    /// position of the process.
    pub(super) fn failure(
        &self,
        id: &str,
        input: Option<usize>,
        position: Position,
        reason: &str,
    ) -> ApplyFailure {
        let recorded = input.and_then(|index| self.waiting.get(index)).map(|waiting| &waiting.recorded);
        let event = recorded.and_then(|recorded| recorded.stream.clone().zip(recorded.revision));
        let can_be_skipped = event.is_some();
        let last_transition =
            || (StreamName::new(P::NAME, id), self.revision.map_or(0, |revision| revision.0));
        let (stream, revision) = event.unwrap_or_else(last_transition);
        ApplyFailure {
            entity: Entity::Key(id.to_owned()),
            stream,
            revision: Revision(revision),
            position,
            reason: without_values(reason),
            can_be_skipped,
        }
    }

    /// Returns the next transition, which takes in all waiting inputs. Returns `None` if no input waits, if a
    /// command has no answer, if another transition is being appended, if the instance has ended, or if the
    /// rules decide no move.
    pub(super) fn decide(&self, now: Timestamp) -> Result<Option<Transition<P::Move>>, RulesFailure> {
        let has_unanswered_command = self.outputs.values().any(OpenOutput::is_command);
        if self.ended || self.deciding || self.waiting.is_empty() || has_unanswered_command {
            return Ok(None);
        }
        let mut state = self.state.clone();
        for (index, waiting) in self.waiting.iter().enumerate() {
            state =
                catch_panic(|| P::take_in(state, &waiting.input)).map_err(|reason| (Some(index), reason))?;
        }
        let taken = self.waiting.iter().map(|waiting| waiting.recorded.clone()).collect();
        let mut transition = Transition { taken, moves: Vec::new(), outputs: Vec::new(), ended: false };
        while !transition.ended && !transition.outputs.iter().any(RecordedOutput::is_command) {
            let decide = || {
                let Decision { next_move, outputs } = P::decide(&state, now)?;
                Some((P::enter(state.clone(), &next_move), next_move, outputs))
            };
            let Some((after, next_move, outputs)) = catch_panic(decide).map_err(|reason| (None, reason))?
            else {
                break;
            };
            if transition.moves.len() == MOVES_MAX {
                return Err((
                    None,
                    format!("the rules decide more than {MOVES_MAX} moves in one transition"),
                ));
            }
            transition.moves.push(next_move);
            transition.outputs.extend(outputs.iter().map(recorded_output));
            transition.ended = P::is_ended(&after);
            state = after;
        }
        Ok((!transition.moves.is_empty()).then_some(transition))
    }

    /// Removes an input of a recorded transition from the waiting inputs, and the output that it answers from
    /// the open outputs. Returns the input, and the output if it was open.
    fn remove_input(&mut self, recorded: &RecordedInput) -> Result<TransitionInput<P>, String> {
        let is_same = |waiting: &WaitingInput<P>| match recorded.output {
            Some(output) => waiting.recorded.output == Some(output),
            None => {
                waiting.recorded.stream == recorded.stream
                    && waiting.recorded.revision == recorded.revision
                    && waiting.recorded.output.is_none()
            }
        };
        let index = self.waiting.iter().position(is_same);
        let waiting = index.map(|index| self.waiting.remove(index));
        let answered =
            recorded.output.and_then(|output| self.outputs.remove(&output).map(|pending| (output, pending)));
        let input = match (&answered, waiting) {
            // The recorded answer counts, even if this runtime received another one.
            (_, Some(waiting)) if recorded.kind == waiting.recorded.kind => waiting.input,
            (_, Some(WaitingInput { input, .. })) => result_input(recorded, step_of(input)?),
            (Some((_, pending)), None) => result_input(recorded, pending.step.clone()),
            (None, None) => {
                let source = match (&recorded.stream, recorded.revision) {
                    (Some(stream), Some(revision)) => format!("revision {revision} of {stream}"),
                    _ => "an answer to an output that is not open".to_owned(),
                };
                return Err(format!(
                    "a recorded transition takes in {source}, but the instance has not received it"
                ));
            }
        };
        Ok((input, answered))
    }

    /// Applies a recorded transition to the state. Returns the open outputs that it answers.
    pub(super) fn apply(
        &mut self,
        version: u16,
        transition: &mut Transition<P::Move>,
    ) -> Result<Vec<(OutputId, OpenOutput<P>)>, String> {
        let mut inputs = Vec::new();
        let mut answered = Vec::new();
        for recorded in &transition.taken {
            let (input, output) = self.remove_input(recorded)?;
            inputs.push(input);
            answered.extend(output);
        }
        let mut state = std::mem::take(&mut self.state);
        if version == 1 {
            state = P::enter_version_1(state, &inputs, &mut transition.outputs);
        } else {
            state = inputs.iter().fold(state, P::take_in);
            state = transition.moves.iter().fold(state, P::enter);
        }
        self.state = state;
        Ok(answered)
    }

    /// Adds the outputs of a recorded transition to the open outputs. Returns the added outputs.
    pub(super) fn record(
        &mut self,
        recorded: &RecordedEvent,
        transition: &Transition<P::Move>,
    ) -> Result<Vec<(OutputId, OpenOutput<P>)>, String> {
        self.revision = Some(recorded.revision);
        self.deciding = false;
        self.failed_appends = 0;
        self.conflicts = 0;
        self.conflicted_at = None;
        self.ended = transition.ended;
        let mut added = Vec::with_capacity(transition.outputs.len());
        for (ordinal, output) in (0_u32..).zip(&transition.outputs) {
            let step: P::Step = parse_step(&output.step, output.number)?;
            let event_id = recorded.event.id;
            let pending = OpenOutput {
                kind: output.kind,
                command_id: command_id::<P>(&self.state, output.kind, &step, event_id, ordinal),
                step,
                transition: event_id,
                at: output.at.unwrap_or(Timestamp::MIN),
                sent: false,
                given_up: false,
                losses: 0,
            };
            let output_id = OutputId { transition: recorded.revision.0, ordinal };
            self.outputs.insert(output_id, pending.clone());
            added.push((output_id, pending));
        }
        Ok(added)
    }

    /// Drops what an ended instance no longer needs: its waiting inputs, its timers, and the effects whose
    /// reactor stopped waiting. Returns the dropped outputs.
    pub(super) fn close(&mut self) -> Vec<(OutputId, OpenOutput<P>)> {
        self.waiting.clear();
        let is_dropped =
            |pending: &OpenOutput<P>| pending.kind == RecordedOutputKind::Timer || pending.given_up;
        self.outputs.extract_if(.., |_, pending| is_dropped(pending)).collect()
    }
}

fn recorded_output<S: Step>(output: &Output<S>) -> RecordedOutput {
    let (kind, step, at) = match output {
        Output::Command(step) => (RecordedOutputKind::Command, step, None),
        Output::Effect(step) => (RecordedOutputKind::Effect, step, None),
        Output::Timer { step, at } => (RecordedOutputKind::Timer, step, Some(*at)),
    };
    RecordedOutput { kind, step: step.name().to_owned(), number: step.number(), at }
}

pub(super) fn result_input<E, S>(recorded: &RecordedInput, step: S) -> Input<E, S> {
    match recorded.kind {
        RecordedInputKind::Refused => Input::Refused {
            step,
            code: recorded.code.clone().unwrap_or_default(),
            detail: recorded.detail.clone().unwrap_or_default(),
        },
        RecordedInputKind::Unchanged => Input::Unchanged(step),
        RecordedInputKind::Fired => Input::Fired(step),
        RecordedInputKind::Done | RecordedInputKind::Event => Input::Done(step),
    }
}

fn step_of<E, S>(input: Input<E, S>) -> Result<S, String> {
    match input {
        Input::Done(step) | Input::Unchanged(step) | Input::Fired(step) | Input::Refused { step, .. } => {
            Ok(step)
        }
        Input::Event(_) => {
            Err("a recorded transition has an answer where this runtime has an event".to_owned())
        }
    }
}
