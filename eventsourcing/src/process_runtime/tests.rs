//! A small process on a log in memory, killed anywhere: whatever is lost in memory, the log ends the
//! same.

mod answers;
mod failures;
mod parking;

use std::collections::HashMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::envelope::RecordedEvent;
use crate::envelope::{Actor, NewEvent};
use crate::id::{CorrelationId, Revision, StreamName};
use crate::payload::DecodeError;
use crate::process::{Decision, Incoming, Input, Output, RecordedOutput};
use crate::store::{AppendError, Expected};
use crate::testkit::noon;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Begun {
    parts: u32,
}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Made {}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Painted {}
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Closed {
    failed: bool,
}

crate::event_enum! {
    /// What happens to a thing that is made of parts.
    pub(crate) enum ThingEvent {
        Begun = "thing.begun" v 1,
        Made = "thing.made" v 1,
        Painted = "thing.painted" v 1,
        Closed = "thing.closed" v 1,
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum MakeStep {
    Make(u32),
    Paint,
    Close,
    Deadline,
}

impl Step for MakeStep {
    fn name(&self) -> &'static str {
        match self {
            Self::Make(_) => "make",
            Self::Paint => "paint",
            Self::Close => "close",
            Self::Deadline => "deadline",
        }
    }

    fn number(&self) -> Option<u32> {
        if let Self::Make(part) = self { Some(*part) } else { None }
    }

    fn parse(name: &str, number: Option<u32>) -> Option<Self> {
        match (name, number) {
            ("make", Some(part)) => Some(Self::Make(part)),
            ("paint", None) => Some(Self::Paint),
            ("close", None) => Some(Self::Close),
            ("deadline", None) => Some(Self::Deadline),
            _ => None,
        }
    }
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
struct MakeState {
    thing: String,
    parts: u32,
    failed: bool,
    painted: bool,
    phase: Phase,
}

#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
enum Phase {
    #[default]
    New,
    Making,
    Painting,
    Ended,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(tag = "move", rename_all = "kebab-case")]
enum MakeMove {
    Make,
    Paint,
    Close { failed: bool },
}

#[derive(Clone, Debug, PartialEq)]
struct MakeCommand {
    stream: StreamName,
    event: ThingEvent,
}

impl ProcessCommand for MakeCommand {
    fn stream(&self) -> StreamName {
        self.stream.clone()
    }

    fn id(&self) -> Option<CommandId> {
        None
    }
}

/// Makes every part, has the thing painted, and closes it; a refused part or the deadline fails it.
#[derive(Debug)]
struct Make;

impl Process for Make {
    const NAME: &'static str = "make";
    const TRANSITION: &'static str = "make.transitioned";
    const VERSION: u32 = 1;
    type State = MakeState;
    type Event = MakeEvent;
    type Step = MakeStep;
    type Move = MakeMove;
    type Command = MakeCommand;
    type Effect = StreamName;

    fn event_types() -> Vec<&'static str> {
        vec!["thing.begun", "thing.painted"]
    }

    fn read(recorded: &RecordedEvent) -> Result<Option<Incoming<MakeEvent>>, DecodeError> {
        let instance = recorded.stream.id().to_owned();
        Ok(match recorded.decode()? {
            ThingEvent::Begun(event) => {
                let event = MakeEvent::Begun { thing: instance.clone(), parts: event.parts };
                Some(Incoming { instance, starts: true, event })
            }
            ThingEvent::Painted(_) => Some(Incoming { instance, starts: false, event: MakeEvent::Painted }),
            _ => None,
        })
    }

    fn decide(state: &MakeState, now: Timestamp) -> Option<Decision<MakeMove, MakeStep>> {
        let is_over = state.failed || state.painted;
        Some(match state.phase {
            Phase::New => {
                let at = now + jiff::SignedDuration::from_secs(60);
                let deadline = Output::Timer { step: MakeStep::Deadline, at };
                let parts = (0..state.parts).map(|part| Output::Command(MakeStep::Make(part)));
                Decision { next_move: MakeMove::Make, outputs: parts.chain([deadline]).collect() }
            }
            Phase::Making | Phase::Painting if is_over => {
                let made = MakeMove::Close { failed: state.failed };
                Decision { next_move: made, outputs: vec![Output::Command(MakeStep::Close)] }
            }
            Phase::Making => {
                Decision { next_move: MakeMove::Paint, outputs: vec![Output::Effect(MakeStep::Paint)] }
            }
            Phase::Painting | Phase::Ended => return None,
        })
    }

    fn take_in(mut state: MakeState, input: &Input<MakeEvent, MakeStep>) -> MakeState {
        match input {
            Input::Event(MakeEvent::Begun { thing, parts }) => {
                state.thing.clone_from(thing);
                state.parts = *parts;
            }
            Input::Event(MakeEvent::Painted) => state.painted = true,
            Input::Refused { .. } => state.failed = true,
            Input::Fired(_) => state.failed |= !state.painted,
            Input::Done(_) | Input::Unchanged(_) => {}
        }
        state
    }

    fn enter(mut state: MakeState, made: &MakeMove) -> MakeState {
        match made {
            MakeMove::Make => state.phase = Phase::Making,
            MakeMove::Paint => state.phase = Phase::Painting,
            MakeMove::Close { failed } => (state.phase, state.failed) = (Phase::Ended, *failed),
        }
        state
    }

    fn enter_version_1(
        _: MakeState,
        _: &[Input<MakeEvent, MakeStep>],
        _: &mut [RecordedOutput],
    ) -> MakeState {
        unreachable!("this process never wrote version 1")
    }

    fn is_ended(state: &MakeState) -> bool {
        state.phase == Phase::Ended
    }

    fn command(state: &MakeState, step: &MakeStep) -> Option<MakeCommand> {
        let stream = |name: &str| StreamName::new("thing", name);
        match step {
            MakeStep::Make(part) => {
                let stream = stream(&format!("{}.{part}", state.thing));
                Some(MakeCommand { stream, event: Made {}.into() })
            }
            MakeStep::Close => {
                let event = Closed { failed: state.failed }.into();
                Some(MakeCommand { stream: stream(&state.thing), event })
            }
            MakeStep::Paint | MakeStep::Deadline => None,
        }
    }

    fn effect(state: &MakeState, step: &MakeStep) -> Option<StreamName> {
        (*step == MakeStep::Paint).then(|| StreamName::new("thing", &state.thing))
    }
}

/// What the process reads.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum MakeEvent {
    Begun { thing: String, parts: u32 },
    Painted,
}

/// A log, what was stored of the process, and what is out.
struct World {
    log: Vec<RecordedEvent>,
    stored: ProcessRows,
    out: Vec<Action<Make>>,
    now: Timestamp,
    refuses: Option<String>,
    paints: bool,
}

impl World {
    fn new(refuses: Option<String>, paints: bool) -> Self {
        let (log, stored, out) = (Vec::new(), ProcessRows::default(), Vec::new());
        Self { log, stored, out, now: noon(), refuses, paints }
    }

    fn append(&mut self, stream: &StreamName, events: Vec<NewEvent>) {
        for event in events {
            let last = self.log.iter().rfind(|recorded| recorded.stream == *stream);
            let revision = Revision::after(last.map(|recorded| recorded.revision));
            let position = Position(self.log.len() as u64 + 1);
            self.log.push(RecordedEvent { position, stream: stream.clone(), revision, event });
        }
    }

    fn happens(&mut self, thing: &str, event: &ThingEvent, command: u128) {
        let correlation = CorrelationId::from(Uuid::from_u128(7));
        let origin = Origin::new(Uuid::from_u128(command), Actor::new("test", "x"), correlation);
        let stream = StreamName::new("thing", thing);
        let envelope = origin.envelope(&stream, 0, event, self.now);
        self.append(&stream, vec![envelope]);
    }

    /// Starts a runtime as of what was stored, as a process does after a kill.
    fn restart(&mut self) -> ProcessRuntime<Make> {
        self.out.clear();
        let mut runtime = ProcessRuntime::restore(self.stored.clone()).unwrap();
        runtime.on_events(&self.log).unwrap();
        runtime.go_live();
        runtime
    }

    fn save(&mut self, runtime: &mut ProcessRuntime<Make>) {
        let ProcessChange { rows: changed, parking, checkpoint } = runtime.change();
        runtime.saved();
        assert!(parking.is_empty(), "{parking:?}");
        let mut rows: HashMap<String, Vec<u8>> = self.stored.rows.drain(..).collect();
        for (id, document) in changed {
            match document {
                Some(document) => drop(rows.insert(id, document)),
                None => drop(rows.remove(&id)),
            }
        }
        self.stored = ProcessRows { rows: rows.into_iter().collect(), parked: Vec::new(), checkpoint };
    }

    /// Carries out one of the actions that are out, with the effect it has outside.
    fn carry_out(&mut self, index: usize, runtime: &mut ProcessRuntime<Make>) {
        match self.out.swap_remove(index) {
            Action::Append(id, append) => {
                let last = self.log.iter().rfind(|recorded| recorded.stream == append.stream);
                if append.expected == Expected::from_last(last.map(|recorded| recorded.revision)) {
                    self.append(&append.stream, append.events);
                } else {
                    let stream = append.stream;
                    let conflict = AppendError::Conflict { stream, current: None };
                    assert!(runtime.on_append_failed(&id, &conflict, self.now).is_none());
                }
            }
            Action::Command(Outgoing { instance, output, content, origin }) => {
                let was_done = self.log.iter().any(|recorded| recorded.event.command_id == origin.command_id);
                if self.refuses.as_deref() == Some(content.stream.id()) {
                    let (code, detail) = ("broken".to_owned(), "it broke".to_owned());
                    runtime.on_result(&instance, output, CommandAnswer::Refused { code, detail });
                } else if was_done {
                    runtime.on_result(&instance, output, CommandAnswer::Done);
                } else {
                    let envelope = origin.envelope(&content.stream, 0, &content.event, self.now);
                    self.append(&content.stream, vec![envelope]);
                }
            }
            Action::Parked(poison) => panic!("{poison}"),
            Action::Effect(Outgoing { instance, output, content, origin }) => {
                let was_done = self.log.iter().any(|recorded| recorded.event.command_id == origin.command_id);
                if was_done {
                    runtime.on_effect_answered(&instance, output);
                } else if self.paints {
                    let envelope = origin.envelope(&content, 0, &ThingEvent::from(Painted {}), self.now);
                    self.append(&content, vec![envelope]);
                }
            }
        }
    }

    fn of_type(&self, event_type: &str) -> Vec<&RecordedEvent> {
        self.log.iter().filter(|recorded| recorded.event_type() == event_type).collect()
    }

    fn transitions(&self) -> Vec<Transition<MakeMove>> {
        let transitions = self.of_type(Make::TRANSITION).into_iter();
        transitions.map(|event| decode_json(Make::TRANSITION, &event.event.data).unwrap()).collect()
    }
}

/// Runs to the end: `choices` say which action comes next, when state is saved and when it is killed.
/// Tells how many instances still wait for something.
fn run(world: &mut World, choices: &[u8]) -> usize {
    let mut runtime = world.restart();
    let mut choices = choices.iter().copied();
    for _ in 0..500 {
        runtime.on_events(&world.log).unwrap();
        let actions = runtime.step(world.now);
        world.out.extend(actions);
        let choice = usize::from(choices.next().unwrap_or(2));
        match choice % 8 {
            0 => runtime = world.restart(),
            1 => world.save(&mut runtime),
            _ if world.out.is_empty() => {
                let Some(at) = runtime.next_step() else { break };
                world.now = world.now.max(at);
            }
            _ => {
                let index = choice % world.out.len();
                world.carry_out(index, &mut runtime);
            }
        }
    }
    runtime.on_events(&world.log).unwrap();
    runtime.open_instances()
}

fn made_of(parts: u32) -> ThingEvent {
    Begun { parts }.into()
}

#[test]
fn an_instance_takes_all_its_waiting_inputs_in_one_transition() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(5), 1);
    assert_eq!(run(&mut world, &[]), 0);
    let transitions = world.transitions();
    assert_eq!(transitions.len(), 3, "begun, all made, painted: {transitions:?}");
    assert_eq!(transitions[1].taken.len(), 5);
    assert!(transitions[2].ended);
    assert_eq!(world.of_type("thing.closed").len(), 1);
}

#[test]
fn a_refusal_is_an_input_like_any_other() {
    let mut world = World::new(Some("a.1".into()), true);
    world.happens("a", &made_of(3), 1);
    run(&mut world, &[]);
    let refused = &world.transitions()[1].taken;
    assert!(refused.iter().any(|taken| taken.code.as_deref() == Some("broken")), "{refused:?}");
    assert!(world.of_type("thing.painted").is_empty());
}

#[test]
fn a_timer_ends_what_nobody_answers_and_a_late_answer_changes_nothing() {
    let mut world = World::new(None, false);
    world.happens("a", &made_of(1), 1);
    assert_eq!(run(&mut world, &[]), 1, "the effect is still out");
    let closed = world.of_type("thing.closed");
    assert_eq!(closed.len(), 1);
    world.happens("a", &Painted {}.into(), 99);
    let events = world.log.len();
    run(&mut world, &[]);
    assert_eq!(world.log.len(), events);
}

#[test]
fn an_ended_instance_is_put_away_when_nobody_waits_for_its_effect_any_more() {
    let mut world = World::new(None, false);
    world.happens("a", &made_of(1), 1);
    assert_eq!(run(&mut world, &[]), 1, "the effect is still out");
    let mut runtime = world.restart();
    let sent = runtime.step(world.now);
    let [Action::Effect(effect)] = &sent[..] else { panic!("the effect alone is asked for again") };
    world.save(&mut runtime);
    runtime.on_effect_unanswered(&effect.instance, effect.output);
    assert_eq!(runtime.open_instances(), 0);
    world.save(&mut runtime);
    assert!(world.stored.rows.is_empty(), "its row goes with it");
    world.happens("a", &Painted {}.into(), 99);
    let events = world.log.len();
    run(&mut world, &[]);
    assert_eq!(world.log.len(), events, "a late answer changes nothing");
}

#[test]
fn a_stuck_instance_holds_back_no_other() {
    let mut world = World::new(None, true);
    world.happens("stuck", &made_of(1), 1);
    world.happens("free", &made_of(1), 2);
    let mut runtime = world.restart();
    for _ in 0..50 {
        runtime.on_events(&world.log).unwrap();
        let actions = runtime.step(world.now);
        world.out.extend(actions);
        // Commands of the stuck instance are never answered.
        let is_stuck =
            |action: &Action<Make>| matches!(action, Action::Command(out) if out.instance == "stuck");
        let Some(index) = world.out.iter().position(|action| !is_stuck(action)) else { break };
        world.carry_out(index, &mut runtime);
    }
    assert_eq!(world.of_type("thing.closed").len(), 1);
    assert_eq!(runtime.open_instances(), 1);
}

#[test]
fn nothing_is_sent_before_the_log_was_read_to_its_head() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = ProcessRuntime::<Make>::restore(ProcessRows::default()).unwrap();
    runtime.on_events(&world.log).unwrap();
    assert!(runtime.step(world.now).is_empty());
    runtime.go_live();
    assert_eq!(runtime.step(world.now).len(), 1);
    assert!(runtime.step(world.now).is_empty(), "a transition that is on its way is not made again");
}

#[test]
fn a_transition_records_the_moves_that_were_decided() {
    let mut world = World::new(Some("a.1".into()), true);
    world.happens("a", &made_of(3), 1);
    run(&mut world, &[]);
    let moves: Vec<_> = world.transitions().into_iter().flat_map(|transition| transition.moves).collect();
    assert_eq!(moves, [MakeMove::Make, MakeMove::Close { failed: true }]);
}

proptest! {
    /// Killed anywhere, restored from rows of any age, with actions carried out in any order: every part
    /// is made once, the thing is painted and closed once, and all events carry the first one's
    /// correlation.
    #[test]
    fn kills_and_orders_change_nothing(
        parts in 1..5_u32,
        refuse in prop::option::of(0..4_u32),
        choices in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut world = World::new(refuse.map(|part| format!("a.{part}")), true);
        world.happens("a", &made_of(parts), 1);
        prop_assert_eq!(run(&mut world, &choices), 0);
        let fails = refuse.is_some_and(|part| part < parts);
        prop_assert_eq!(world.of_type("thing.closed").len(), 1);
        prop_assert_eq!(world.of_type("thing.made").len(), parts as usize - usize::from(fails));
        prop_assert!(world.of_type("thing.painted").len() <= 1);
        let first = &world.log[0].event.correlation_id;
        prop_assert!(world.log.iter().all(|recorded| recorded.event.correlation_id == *first));
        let ends = world.transitions().iter().filter(|transition| transition.ended).count();
        prop_assert_eq!(ends, 1);
    }
}
