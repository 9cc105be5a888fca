//! One instance of a process: its state, what it asked for and what waits to be taken in.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::envelope::RecordedEvent;
use crate::id::{CommandId, CorrelationId, EventId, Position, Revision, StreamName};
use crate::parking::{Entity, Poison, caught, without_values};
use crate::process::{
    Decided, DecidedKind, Decision, Input, Output, OutputId, Process, Step, Taken, TakenKind, Transition,
};

use super::{command_id, parse_step};

/// The place of the input that a process panics on, if it is one, and the reason.
type Stuck = (Option<usize>, String);

/// An input of a recorded transition, and the output it answers.
type Found<P> = (Input<<P as Process>::Event, <P as Process>::Step>, Option<(OutputId, Pending<P>)>);

/// An output without an answer.
pub(super) struct Pending<P: Process> {
    pub(super) kind: DecidedKind,
    pub(super) step: P::Step,
    pub(super) command_id: CommandId,
    /// The transition that asked for it.
    pub(super) transition: EventId,
    /// When it fires, for a timer; else the start of time.
    pub(super) at: Timestamp,
    /// Whether it was sent since this runtime began.
    pub(super) sent: bool,
    /// Whether nobody waits for its answer any more.
    pub(super) given_up: bool,
    /// Times that sending it came to nothing by a fault of this program.
    pub(super) losses: u32,
}

impl<P: Process> Clone for Pending<P> {
    fn clone(&self) -> Self {
        Self { step: self.step.clone(), ..*self }
    }
}

/// An input that waits to be taken in.
pub(super) struct Waiting<P: Process> {
    pub(super) taken: Taken,
    pub(super) input: Input<P::Event, P::Step>,
    /// The event it is, or came from.
    pub(super) cause: Option<EventId>,
}

impl<P: Process> Clone for Waiting<P> {
    fn clone(&self) -> Self {
        Self { taken: self.taken.clone(), input: self.input.clone(), cause: self.cause }
    }
}

impl<P: Process> Waiting<P> {
    pub(super) fn event(recorded: &RecordedEvent, event: P::Event) -> Self {
        let taken = Taken {
            kind: TakenKind::Event,
            stream: Some(recorded.stream.clone()),
            revision: Some(recorded.revision.0),
            output: None,
            code: None,
            detail: None,
        };
        Self { taken, input: Input::Event(event), cause: Some(recorded.event.id) }
    }
}

pub(super) struct Instance<P: Process> {
    pub(super) state: P::State,
    /// Of the last transition.
    pub(super) revision: Option<Revision>,
    pub(super) correlation_id: CorrelationId,
    /// The event that started it.
    pub(super) started_by: EventId,
    pub(super) outputs: BTreeMap<OutputId, Pending<P>>,
    pub(super) waiting: Vec<Waiting<P>>,
    pub(super) ended: bool,
    /// True while a transition is on its way to the log, or waits for another attempt.
    pub(super) deciding: bool,
    /// Attempts to append the transition that failed, one after another.
    pub(super) failed_appends: u32,
    /// Conflicts of the transition, each after the process had read further.
    pub(super) conflicts: u32,
    /// The position of the process at the last of them.
    pub(super) conflicted_at: Option<Position>,
}

/// Moves of one transition. A process that makes more goes round in a circle.
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

    /// The event that led to what is decided next.
    pub(super) fn last_cause(&self) -> EventId {
        self.waiting.iter().rev().find_map(|waiting| waiting.cause).unwrap_or(self.started_by)
    }

    /// An output was answered: the answer waits to be taken in. Returns the output, if it was open.
    pub(super) fn answer(
        &mut self,
        output: OutputId,
        taken: Taken,
        cause: Option<EventId>,
    ) -> Option<Pending<P>> {
        let pending = self.outputs.remove(&output)?;
        // An effect's answer is an event of the aggregate it is about, and taken in as that.
        if !self.ended && pending.kind != DecidedKind::Effect {
            let input = result_input(&taken, pending.step.clone());
            self.waiting.push(Waiting { taken, input, cause });
        }
        Some(pending)
    }

    /// It can't go on: because of one of its inputs, or of what it did itself. `position` is how far the
    /// log was read.
    pub(super) fn stuck(&self, id: &str, input: Option<usize>, position: Position, reason: &str) -> Poison {
        let taken = input.and_then(|place| self.waiting.get(place)).map(|waiting| &waiting.taken);
        let event = taken.and_then(|taken| taken.stream.clone().zip(taken.revision));
        let can_be_skipped = event.is_some();
        let own = || (StreamName::new(P::NAME, id), self.revision.map_or(0, |revision| revision.0));
        let (stream, revision) = event.unwrap_or_else(own);
        let (entity, reason) = (Entity::Key(id.to_owned()), without_values(reason));
        Poison { entity, stream, revision: Revision(revision), position, reason, can_be_skipped }
    }

    /// The transition that the waiting inputs lead to; none while a command has no answer, or when there
    /// is no move to make. An input that the process panics on is named by its place.
    pub(super) fn decide(&self, now: Timestamp) -> Result<Option<Transition<P::Move>>, Stuck> {
        let has_unanswered_command = self.outputs.values().any(Pending::is_command);
        if self.ended || self.deciding || self.waiting.is_empty() || has_unanswered_command {
            return Ok(None);
        }
        let mut state = self.state.clone();
        for (place, waiting) in self.waiting.iter().enumerate() {
            state = caught(|| P::take_in(state, &waiting.input)).map_err(|reason| (Some(place), reason))?;
        }
        let taken = self.waiting.iter().map(|waiting| waiting.taken.clone()).collect();
        let mut transition = Transition { taken, moves: Vec::new(), outputs: Vec::new(), ended: false };
        while !transition.ended && !transition.outputs.iter().any(Decided::is_command) {
            let decide = || {
                let Decision { made, outputs } = P::decide(&state, now)?;
                Some((P::enter(state.clone(), &made), made, outputs))
            };
            let Some((after, made, outputs)) = caught(decide).map_err(|reason| (None, reason))? else {
                break;
            };
            if transition.moves.len() == MOVES_MAX {
                return Err((None, format!("it makes more than {MOVES_MAX} moves at once")));
            }
            transition.moves.push(made);
            transition.outputs.extend(outputs.iter().map(decided));
            transition.ended = P::is_ended(&after);
            state = after;
        }
        Ok((!transition.moves.is_empty()).then_some(transition))
    }

    /// Finds an input of a recorded transition among what waits and what is out; returns it with the output
    /// it answers, when that was not known to be answered yet.
    fn find(&mut self, taken: &Taken) -> Result<Found<P>, String> {
        let is_it = |waiting: &Waiting<P>| {
            let (known, wanted) = (&waiting.taken, taken);
            match wanted.output {
                Some(output) => known.output == Some(output),
                None => {
                    known.stream == wanted.stream
                        && known.revision == wanted.revision
                        && known.output.is_none()
                }
            }
        };
        let position = self.waiting.iter().position(is_it);
        let waiting = position.map(|position| self.waiting.remove(position));
        let gone =
            taken.output.and_then(|output| self.outputs.remove(&output).map(|pending| (output, pending)));
        let input = match (&gone, waiting) {
            // What a recorded transition says of an answer counts, not what came in here meanwhile.
            (_, Some(waiting)) if taken.kind == waiting.taken.kind => waiting.input,
            (_, Some(Waiting { input, .. })) => result_input(taken, step_of(input)?),
            (Some((_, pending)), None) => result_input(taken, pending.step.clone()),
            (None, None) => {
                let what = match (&taken.stream, taken.revision) {
                    (Some(stream), Some(revision)) => format!("revision {revision} of {stream}"),
                    _ => "the answer to what it never asked for".to_owned(),
                };
                return Err(format!("a recorded transition takes in {what}, which did not come before it"));
            }
        };
        Ok((input, gone))
    }

    /// Takes a recorded transition in; returns the outputs that it shows to be answered.
    pub(super) fn take(
        &mut self,
        version: u16,
        transition: &mut Transition<P::Move>,
    ) -> Result<Vec<(OutputId, Pending<P>)>, String> {
        let (mut inputs, mut answered) = (Vec::new(), Vec::new());
        for taken in &transition.taken {
            let (input, output) = self.find(taken)?;
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

    /// Notes what a recorded transition asks for.
    pub(super) fn record(
        &mut self,
        recorded: &RecordedEvent,
        transition: &Transition<P::Move>,
    ) -> Result<Vec<(OutputId, Pending<P>)>, String> {
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
            let pending = Pending {
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

    /// Drops what doesn't matter after the end, and returns the outputs among it.
    pub(super) fn close(&mut self) -> Vec<(OutputId, Pending<P>)> {
        self.waiting.clear();
        let is_over = |pending: &Pending<P>| pending.kind == DecidedKind::Timer || pending.given_up;
        self.outputs.extract_if(.., |_, pending| is_over(pending)).collect()
    }
}

fn decided<S: Step>(output: &Output<S>) -> Decided {
    let (kind, step, at) = match output {
        Output::Command(step) => (DecidedKind::Command, step, None),
        Output::Effect(step) => (DecidedKind::Effect, step, None),
        Output::Timer { step, at } => (DecidedKind::Timer, step, Some(*at)),
    };
    Decided { kind, step: step.name().to_owned(), number: step.number(), at }
}

pub(super) fn result_input<E, S>(taken: &Taken, step: S) -> Input<E, S> {
    match taken.kind {
        TakenKind::Refused => Input::Refused {
            step,
            code: taken.code.clone().unwrap_or_default(),
            detail: taken.detail.clone().unwrap_or_default(),
        },
        TakenKind::Unchanged => Input::Unchanged(step),
        TakenKind::Fired => Input::Fired(step),
        TakenKind::Done | TakenKind::Event => Input::Done(step),
    }
}

fn step_of<E, S>(input: Input<E, S>) -> Result<S, String> {
    match input {
        Input::Done(step) | Input::Unchanged(step) | Input::Fired(step) | Input::Refused { step, .. } => {
            Ok(step)
        }
        Input::Event(_) => Err("it takes an event for an answer".to_owned()),
    }
}
