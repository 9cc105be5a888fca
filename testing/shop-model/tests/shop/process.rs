//! Simple runtime for processes. It gives inputs to an instance in the order in which they arrive. An
//! instance makes a transition only if all its commands have answers, it decides at least one move, and it
//! has not ended.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Serialize, de::DeserializeOwned};
use souk_domain::AggregateCommand;
use souk_eventsourcing::process::{Input, Output, Process, ProcessCommand};
use souk_eventsourcing::reactor::NoEffect;
use souk_eventsourcing::{CommandId, EventId, RecordedEvent, StreamName};
use souk_process_managers::ProviderCall;

/// Answer to a command.
#[derive(Clone, Debug)]
pub(crate) enum CommandAnswer {
    Done,
    Unchanged,
    Refused { code: String, detail: String },
}

/// Conversion of an effect to a call to the payment provider, the only system outside this shop.
pub(crate) trait IntoCall {
    fn into_call(self) -> ProviderCall;
}

impl IntoCall for ProviderCall {
    fn into_call(self) -> ProviderCall {
        self
    }
}

impl IntoCall for NoEffect {
    fn into_call(self) -> ProviderCall {
        match self {}
    }
}

/// Process of any type, with its instances.
pub(crate) trait RunningProcess {
    /// Returns true if the process has not read the whole log.
    fn is_behind(&self, log: &[RecordedEvent]) -> bool;
    fn read_next(&mut self, log: &[RecordedEvent]);
    /// Returns the instances that have not ended, have inputs, and whose commands all have answers.
    fn ready(&self) -> Vec<String>;
    /// Lets an instance decide on its inputs. Returns false if it makes no move.
    fn decide(&mut self, instance: &str, now: Timestamp) -> bool;
    /// Returns the commands without an answer, each with its instance.
    fn commands(&self) -> Vec<(String, CommandId, AggregateCommand)>;
    fn on_answer(&mut self, instance: &str, command: CommandId, answer: CommandAnswer);
    /// Returns the calls to the provider that are not done, each with its instance and idempotency key.
    fn effects(&self) -> Vec<(String, CommandId, ProviderCall)>;
    /// Removes a call to the provider that is done.
    fn close_effect(&mut self, instance: &str, effect: CommandId);
    /// Returns the timers, each with its instance and its index in the instance.
    fn timers(&self) -> Vec<(String, usize, Timestamp)>;
    fn fire(&mut self, instance: &str, timer: usize);
}

pub(crate) struct Runtime<P: Process> {
    instances: BTreeMap<String, Instance<P>>,
    /// Number of events that the process has read.
    read: usize,
}

struct Instance<P: Process> {
    state: P::State,
    /// Inputs since the last transition.
    waiting: Vec<Input<P::Event, P::Step>>,
    commands: Vec<(CommandId, P::Step, AggregateCommand)>,
    effects: Vec<(CommandId, ProviderCall)>,
    timers: Vec<(P::Step, Timestamp)>,
    ended: bool,
    transitions: u32,
}

impl<P: Process> Default for Runtime<P> {
    fn default() -> Self {
        Self { instances: BTreeMap::new(), read: 0 }
    }
}

/// Converts a value to JSON and back. The shop stores states, events and moves as JSON, so the conversion
/// must not change them.
fn through_json<T: Serialize + DeserializeOwned>(value: &T) -> T {
    serde_json::from_slice(&serde_json::to_vec(value).unwrap()).unwrap()
}

impl<P: Process<Command = AggregateCommand, Effect: IntoCall>> Instance<P> {
    fn new() -> Self {
        Self {
            state: P::State::default(),
            waiting: Vec::new(),
            commands: Vec::new(),
            effects: Vec::new(),
            timers: Vec::new(),
            ended: false,
            transitions: 0,
        }
    }

    fn complete_command(&mut self, recorded: &RecordedEvent) {
        let completed = self.commands.iter().position(|(id, ..)| *id == recorded.event.command_id);
        if let Some(index) = completed {
            let (_, step, _) = self.commands.remove(index);
            self.waiting.push(Input::Done(step));
        }
    }

    /// Adds the outputs of a transition.
    fn add_outputs(&mut self, id: &str, outputs: Vec<Output<P::Step>>) {
        let stream = StreamName::new(P::NAME, id);
        let transition = EventId::derive(&stream, CommandId::of(&[id.as_bytes()]), self.transitions);
        self.transitions += 1;
        for (ordinal, output) in (0..).zip(outputs) {
            let of_output = CommandId::of_output(transition, ordinal);
            match output {
                Output::Command(step) => {
                    let command = P::command(&self.state, &step).unwrap_or_else(|| panic!("{step:?}"));
                    self.commands.push((command.id().unwrap_or(of_output), step, command));
                }
                Output::Effect(step) => {
                    let effect = P::effect(&self.state, &step).unwrap_or_else(|| panic!("{step:?}"));
                    self.effects.push((of_output, effect.into_call()));
                }
                Output::Timer { step, at } => self.timers.push((step, at)),
            }
        }
    }
}

impl<P: Process<Command = AggregateCommand, Effect: IntoCall>> RunningProcess for Runtime<P> {
    fn is_behind(&self, log: &[RecordedEvent]) -> bool {
        self.read < log.len()
    }

    fn read_next(&mut self, log: &[RecordedEvent]) {
        let recorded = &log[self.read];
        self.read += 1;
        for instance in self.instances.values_mut() {
            instance.complete_command(recorded);
        }
        if !P::event_types().contains(&recorded.event_type()) {
            return;
        }
        let Some(incoming) = P::read(recorded).unwrap() else { return };
        let event = Input::Event(through_json(&incoming.event));
        if incoming.starts {
            self.instances.entry(incoming.instance).or_insert_with(Instance::new).waiting.push(event);
        } else if let Some(instance) = self.instances.get_mut(&incoming.instance) {
            instance.waiting.push(event);
        }
    }

    fn ready(&self) -> Vec<String> {
        let is_ready = |instance: &Instance<P>| {
            !instance.ended && !instance.waiting.is_empty() && instance.commands.is_empty()
        };
        self.instances.iter().filter(|(_, instance)| is_ready(instance)).map(|(id, _)| id.clone()).collect()
    }

    fn decide(&mut self, id: &str, now: Timestamp) -> bool {
        let instance = self.instances.get_mut(id).unwrap();
        let mut state = instance.waiting.iter().fold(instance.state.clone(), P::take_in);
        let mut outputs = Vec::new();
        let mut moves = 0;
        while !P::is_ended(&state)
            && !outputs.iter().any(|output| matches!(output, Output::Command(_)))
            && let Some(decision) = P::decide(&state, now)
        {
            state = P::enter(state, &through_json(&decision.next_move));
            outputs.extend(decision.outputs);
            moves += 1;
        }
        let ended = P::is_ended(&state);
        if moves == 0 {
            return false;
        }
        instance.state = through_json(&state);
        instance.ended = ended;
        instance.waiting.clear();
        instance.add_outputs(id, outputs);
        true
    }

    fn commands(&self) -> Vec<(String, CommandId, AggregateCommand)> {
        let commands_of = |(id, instance): (&String, &Instance<P>)| {
            let id = id.clone();
            let commands = instance.commands.iter();
            commands
                .map(move |(command, _, content)| (id.clone(), *command, content.clone()))
                .collect::<Vec<_>>()
        };
        self.instances.iter().flat_map(commands_of).collect()
    }

    fn on_answer(&mut self, id: &str, command: CommandId, answer: CommandAnswer) {
        let instance = self.instances.get_mut(id).unwrap();
        let Some(index) = instance.commands.iter().position(|(id, ..)| *id == command) else { return };
        let (_, step, _) = instance.commands.remove(index);
        instance.waiting.push(match answer {
            CommandAnswer::Done => Input::Done(step),
            CommandAnswer::Unchanged => Input::Unchanged(step),
            CommandAnswer::Refused { code, detail } => Input::Refused { step, code, detail },
        });
    }

    fn effects(&self) -> Vec<(String, CommandId, ProviderCall)> {
        let effects_of = |(id, instance): (&String, &Instance<P>)| {
            let id = id.clone();
            instance
                .effects
                .iter()
                .map(move |(key, call)| (id.clone(), *key, call.clone()))
                .collect::<Vec<_>>()
        };
        self.instances.iter().flat_map(effects_of).collect()
    }

    fn close_effect(&mut self, id: &str, effect: CommandId) {
        self.instances.get_mut(id).unwrap().effects.retain(|(key, _)| *key != effect);
    }

    fn timers(&self) -> Vec<(String, usize, Timestamp)> {
        let running = self.instances.iter().filter(|(_, instance)| !instance.ended);
        let timers = running.flat_map(|(id, instance)| {
            instance.timers.iter().enumerate().map(|(timer, (_, at))| (id.clone(), timer, *at))
        });
        timers.collect()
    }

    fn fire(&mut self, id: &str, timer: usize) {
        let instance = self.instances.get_mut(id).unwrap();
        let (step, _) = instance.timers.remove(timer);
        instance.waiting.push(Input::Fired(step));
    }
}
