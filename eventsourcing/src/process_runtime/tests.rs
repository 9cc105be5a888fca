//! Tests of the process runtime with a small process and a log in memory. A property test kills the process
//! at random moments: the outcome in the log must not depend on the kills.

mod answers;
mod failures;
mod make;
mod parking;

use std::collections::HashMap;

use proptest::prelude::*;
use uuid::Uuid;

use super::*;
use crate::envelope::{Actor, NewEvent, RecordedEvent};
use crate::id::{CorrelationId, Revision, StreamName};
use crate::store::{AppendError, Expected};
use crate::testkit::noon;

use make::{Begun, Make, MakeMove, Painted, ThingEvent};

/// Environment of the process: the log, the stored rows, the time, and the actions that are not carried out
/// yet.
struct World {
    log: Vec<RecordedEvent>,
    stored: ProcessRows,
    pending: Vec<Action<Make>>,
    now: Timestamp,
    /// Id of the stream whose commands are rejected.
    rejecting: Option<String>,
    /// True if the effect that paints the thing gets an answer.
    paints: bool,
}

impl World {
    fn new(rejecting: Option<String>, paints: bool) -> Self {
        Self {
            log: Vec::new(),
            stored: ProcessRows::default(),
            pending: Vec::new(),
            now: noon(),
            rejecting,
            paints,
        }
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

    /// Starts a runtime from the stored rows, as the program does after a kill.
    fn restart(&mut self) -> ProcessRuntime<Make> {
        self.pending.clear();
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

    /// Carries out one of the pending actions.
    fn carry_out(&mut self, index: usize, runtime: &mut ProcessRuntime<Make>) {
        match self.pending.swap_remove(index) {
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
                if self.rejecting.as_deref() == Some(content.stream.id()) {
                    let code = "broken".to_owned();
                    let detail = "the part broke".to_owned();
                    runtime.on_result(&instance, output, CommandAnswer::Refused { code, detail });
                } else if was_done {
                    runtime.on_result(&instance, output, CommandAnswer::Done);
                } else {
                    let envelope = origin.envelope(&content.stream, 0, &content.event, self.now);
                    self.append(&content.stream, vec![envelope]);
                }
            }
            Action::Parked(failure) => panic!("{failure}"),
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

/// Runs the process until nothing is left to do, for at most 500 rounds. Each number in `choices` selects
/// what happens in one round: an action is carried out, the rows are saved, or the process is killed. If no
/// action is pending, the time moves to the next timer or retry. Returns the number of open instances.
fn run(world: &mut World, choices: &[u8]) -> usize {
    let mut runtime = world.restart();
    let mut choices = choices.iter().copied();
    for _ in 0..500 {
        runtime.on_events(&world.log).unwrap();
        let actions = runtime.step(world.now);
        world.pending.extend(actions);
        let choice = usize::from(choices.next().unwrap_or(2));
        match choice % 8 {
            0 => runtime = world.restart(),
            1 => world.save(&mut runtime),
            _ if world.pending.is_empty() => {
                let Some(at) = runtime.next_step() else { break };
                world.now = world.now.max(at);
            }
            _ => {
                let index = choice % world.pending.len();
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
    assert_eq!(
        transitions.len(),
        3,
        "one after begun, one after all parts, one after painted: {transitions:?}"
    );
    assert_eq!(transitions[1].taken.len(), 5);
    assert!(transitions[2].ended);
    assert_eq!(world.of_type("thing.closed").len(), 1);
}

#[test]
fn a_rejected_command_is_an_input_of_the_process() {
    let mut world = World::new(Some("a.1".into()), true);
    world.happens("a", &made_of(3), 1);
    run(&mut world, &[]);
    let inputs = &world.transitions()[1].taken;
    assert!(inputs.iter().any(|input| input.code.as_deref() == Some("broken")), "{inputs:?}");
    assert!(world.of_type("thing.painted").is_empty());
}

#[test]
fn a_timer_ends_an_instance_without_an_answer_and_a_late_answer_is_ignored() {
    let mut world = World::new(None, false);
    world.happens("a", &made_of(1), 1);
    assert_eq!(run(&mut world, &[]), 1, "the effect has no answer yet");
    let closed = world.of_type("thing.closed");
    assert_eq!(closed.len(), 1);
    world.happens("a", &Painted {}.into(), 99);
    let events = world.log.len();
    run(&mut world, &[]);
    assert_eq!(world.log.len(), events);
}

#[test]
fn an_ended_instance_is_removed_when_the_reactor_stops_waiting_for_its_effect() {
    let mut world = World::new(None, false);
    world.happens("a", &made_of(1), 1);
    assert_eq!(run(&mut world, &[]), 1, "the effect has no answer yet");
    let mut runtime = world.restart();
    let sent = runtime.step(world.now);
    let [Action::Effect(effect)] = &sent[..] else { panic!("only the effect is sent again") };
    world.save(&mut runtime);
    runtime.on_effect_unanswered(&effect.instance, effect.output);
    assert_eq!(runtime.open_instances(), 0);
    world.save(&mut runtime);
    assert!(world.stored.rows.is_empty(), "the row is removed with the instance");
    world.happens("a", &Painted {}.into(), 99);
    let events = world.log.len();
    run(&mut world, &[]);
    assert_eq!(world.log.len(), events, "a late answer is ignored");
}

#[test]
fn an_instance_that_waits_for_an_answer_does_not_delay_other_instances() {
    let mut world = World::new(None, true);
    world.happens("stuck", &made_of(1), 1);
    world.happens("free", &made_of(1), 2);
    let mut runtime = world.restart();
    for _ in 0..50 {
        runtime.on_events(&world.log).unwrap();
        let actions = runtime.step(world.now);
        world.pending.extend(actions);
        // The commands of the instance `stuck` are never answered.
        let is_stuck =
            |action: &Action<Make>| matches!(action, Action::Command(sent) if sent.instance == "stuck");
        let Some(index) = world.pending.iter().position(|action| !is_stuck(action)) else { break };
        world.carry_out(index, &mut runtime);
    }
    assert_eq!(world.of_type("thing.closed").len(), 1);
    assert_eq!(runtime.open_instances(), 1);
}

#[test]
fn no_output_is_sent_before_the_log_was_read_to_its_head() {
    let mut world = World::new(None, true);
    world.happens("a", &made_of(1), 1);
    let mut runtime = ProcessRuntime::<Make>::restore(ProcessRows::default()).unwrap();
    runtime.on_events(&world.log).unwrap();
    assert!(runtime.step(world.now).is_empty());
    runtime.go_live();
    assert_eq!(runtime.step(world.now).len(), 1);
    assert!(runtime.step(world.now).is_empty(), "a transition that is being appended is not decided again");
}

#[test]
fn a_transition_records_the_decided_moves() {
    let mut world = World::new(Some("a.1".into()), true);
    world.happens("a", &made_of(3), 1);
    run(&mut world, &[]);
    let moves: Vec<_> = world.transitions().into_iter().flat_map(|transition| transition.moves).collect();
    assert_eq!(moves, [MakeMove::Make, MakeMove::Close { failed: true }]);
}

proptest! {
    /// The process is killed at any step and restored from rows of any age, and its actions are carried out
    /// in any order. In every case, each part that is not rejected is made once, the thing is painted at
    /// most once and closed once, and all events have the correlation id of the first event.
    #[test]
    fn the_result_does_not_depend_on_kills_or_on_the_order_of_actions(
        parts in 1..5_u32,
        rejected_part in prop::option::of(0..4_u32),
        choices in prop::collection::vec(any::<u8>(), 0..200),
    ) {
        let mut world = World::new(rejected_part.map(|part| format!("a.{part}")), true);
        world.happens("a", &made_of(parts), 1);
        prop_assert_eq!(run(&mut world, &choices), 0);
        let fails = rejected_part.is_some_and(|part| part < parts);
        prop_assert_eq!(world.of_type("thing.closed").len(), 1);
        prop_assert_eq!(world.of_type("thing.made").len(), parts as usize - usize::from(fails));
        prop_assert!(world.of_type("thing.painted").len() <= 1);
        let first = &world.log[0].event.correlation_id;
        prop_assert!(world.log.iter().all(|recorded| recorded.event.correlation_id == *first));
        let ends = world.transitions().iter().filter(|transition| transition.ended).count();
        prop_assert_eq!(ends, 1);
    }
}
