//! Processes of any type behind one interface, with rows that survive a kill.

use std::collections::BTreeMap;
use std::rc::Rc;

use souk_domain::AggregateCommand;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::process::{OutputId, Process, ProcessChange, ProcessRows};
use souk_eventsourcing::process_runtime::{Action, CommandAnswer, Outgoing, ProcessRuntime};
use souk_eventsourcing::{Append, AppendError, Position, RecordedEvent, Timestamp};
use souk_process_managers::checkout::Checkout;
use souk_process_managers::reversal::ReversalProcess;
use souk_process_managers::settlement::Settlement;

use crate::effects::SimulatedEffect;

/// Constructors of the processes of the shop, in the order of their indexes.
pub(crate) const PROCESSES: &[fn() -> Box<dyn AnyProcess>] = &[
    SimulatedProcess::<Checkout>::boxed,
    SimulatedProcess::<Settlement>::boxed,
    SimulatedProcess::<ReversalProcess>::boxed,
];

/// Action that a process asks for. Each action has the id of its process instance.
#[derive(Clone, Debug)]
pub(crate) enum ProcessAction {
    Append(String, Append),
    Command(String, OutputId, AggregateCommand, Origin),
    Effect(String, OutputId, Rc<dyn SimulatedEffect>, Origin),
}

/// Process of any type.
pub(crate) trait AnyProcess {
    fn name(&self) -> &'static str;
    fn position(&self) -> Position;
    /// Reads the next events of the log. The process ignores events of types that it does not need.
    fn read(&mut self, events: &[RecordedEvent]);
    fn go_live(&mut self);
    fn step(&mut self, now: Timestamp) -> Vec<ProcessAction>;
    fn on_append_failed(&mut self, instance: &str, error: &AppendError, now: Timestamp);
    fn on_result(&mut self, instance: &str, output: OutputId, answer: CommandAnswer);
    fn on_effect_answered(&mut self, instance: &str, output: OutputId);
    fn next_step(&self) -> Option<Timestamp>;
    /// Saves the rows, so that they survive a kill.
    fn save(&mut self);
    /// Restores the process from the saved rows, as after a kill.
    fn restart(&mut self);
    /// Returns all saved rows.
    fn documents(&self) -> Vec<&Vec<u8>>;
}

/// Process with its saved rows.
pub(crate) struct SimulatedProcess<P: Process> {
    runtime: ProcessRuntime<P>,
    rows: BTreeMap<String, Vec<u8>>,
    checkpoint: Position,
}

impl<P: Process> Default for SimulatedProcess<P> {
    fn default() -> Self {
        let runtime = ProcessRuntime::restore(ProcessRows::default()).unwrap();
        Self { runtime, rows: BTreeMap::new(), checkpoint: Position::START }
    }
}

impl<P: Process<Command = AggregateCommand, Effect: SimulatedEffect>> SimulatedProcess<P> {
    /// Returns a process that has read no events.
    pub(crate) fn boxed() -> Box<dyn AnyProcess> {
        Box::new(Self::default())
    }
}

impl<P: Process<Command = AggregateCommand, Effect: SimulatedEffect>> AnyProcess for SimulatedProcess<P> {
    fn name(&self) -> &'static str {
        P::NAME
    }

    fn position(&self) -> Position {
        self.runtime.position()
    }

    fn read(&mut self, events: &[RecordedEvent]) {
        let filter = ProcessRuntime::<P>::filter();
        let matching: Vec<_> = events.iter().filter(|event| filter.matches(event)).cloned().collect();
        self.runtime.on_events(&matching).unwrap();
        let reached = events.last().map_or(Position::START, |last| last.position);
        self.runtime.on_reached(reached.max(self.runtime.position()));
    }

    fn go_live(&mut self) {
        self.runtime.go_live();
    }

    fn step(&mut self, now: Timestamp) -> Vec<ProcessAction> {
        let actions = self.runtime.step(now).into_iter().map(|action| match action {
            Action::Append(instance, append) => ProcessAction::Append(instance, append),
            Action::Command(Outgoing { instance, output, content, origin }) => {
                ProcessAction::Command(instance, output, content, origin)
            }
            Action::Effect(Outgoing { instance, output, content, origin }) => {
                ProcessAction::Effect(instance, output, Rc::new(content), origin)
            }
            Action::Parked(failure) => panic!("{failure}"),
        });
        actions.collect()
    }

    fn on_append_failed(&mut self, instance: &str, error: &AppendError, now: Timestamp) {
        let parked = self.runtime.on_append_failed(instance, error, now);
        assert!(parked.is_none(), "{parked:?}");
    }

    fn on_result(&mut self, instance: &str, output: OutputId, answer: CommandAnswer) {
        self.runtime.on_result(instance, output, answer);
    }

    fn on_effect_answered(&mut self, instance: &str, output: OutputId) {
        self.runtime.on_effect_answered(instance, output);
    }

    fn next_step(&self) -> Option<Timestamp> {
        self.runtime.next_step()
    }

    fn save(&mut self) {
        let ProcessChange { rows, checkpoint, parking } = self.runtime.change();
        assert!(parking.is_empty(), "{parking:?}");
        for (instance, document) in rows {
            match document {
                Some(document) => self.rows.insert(instance, document),
                None => self.rows.remove(&instance),
            };
        }
        self.checkpoint = checkpoint;
        self.runtime.saved();
    }

    fn restart(&mut self) {
        let rows = self.rows.clone().into_iter().collect();
        let stored = ProcessRows { rows, parked: Vec::new(), checkpoint: self.checkpoint };
        self.runtime = ProcessRuntime::restore(stored).unwrap();
    }

    fn documents(&self) -> Vec<&Vec<u8>> {
        self.rows.values().collect()
    }
}
