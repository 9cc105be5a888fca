//! Processes of any kind behind one face, with the rows that outlive a kill.

use std::collections::BTreeMap;

use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::process::{OutputId, Process, ProcessChange, ProcessRows};
use souk_eventsourcing::process_runtime::{Action, Answer, Outgoing, ProcessRuntime};
use souk_eventsourcing::{Append, AppendError, Position, RecordedEvent, Timestamp};
use souk_process_managers::{ProviderCall, ShopCommand};

/// What a process asks for.
#[derive(Clone, Debug)]
pub(crate) enum Wish {
    Append(String, Append),
    Command(String, OutputId, ShopCommand, Origin),
    Effect(String, OutputId, ProviderCall, Origin),
}

/// A process.
pub(crate) trait Running {
    fn position(&self) -> Position;
    /// Reads the next events of the log, of which it takes in what it follows the log for.
    fn read(&mut self, events: &[RecordedEvent]);
    fn go_live(&mut self);
    fn step(&mut self, now: Timestamp) -> Vec<Wish>;
    fn on_append_failed(&mut self, instance: &str, error: &AppendError, now: Timestamp);
    fn on_result(&mut self, instance: &str, output: OutputId, answer: Answer);
    fn on_effect_answered(&mut self, instance: &str, output: OutputId);
    fn next_step(&self) -> Option<Timestamp>;
    /// Writes rows to where they outlive a kill.
    fn save(&mut self);
    /// Goes on from there, as after a kill.
    fn restart(&mut self);
    /// Every row that was written.
    fn documents(&self) -> Vec<&Vec<u8>>;
}

/// A process and its rows.
pub(crate) struct Kept<P: Process> {
    runtime: ProcessRuntime<P>,
    rows: BTreeMap<String, Vec<u8>>,
    checkpoint: Position,
}

impl<P: Process> Default for Kept<P> {
    fn default() -> Self {
        let runtime = ProcessRuntime::restore(ProcessRows::default()).unwrap();
        Self { runtime, rows: BTreeMap::new(), checkpoint: Position::START }
    }
}

impl<P: Process<Command = ShopCommand, Effect = ProviderCall>> Running for Kept<P> {
    fn position(&self) -> Position {
        self.runtime.position()
    }

    fn read(&mut self, events: &[RecordedEvent]) {
        let filter = ProcessRuntime::<P>::filter();
        let wanted: Vec<_> = events.iter().filter(|event| filter.takes(event)).cloned().collect();
        self.runtime.on_events(&wanted).unwrap();
        let reached = events.last().map_or(Position::START, |last| last.position);
        self.runtime.on_reached(reached.max(self.runtime.position()));
    }

    fn go_live(&mut self) {
        self.runtime.go_live();
    }

    fn step(&mut self, now: Timestamp) -> Vec<Wish> {
        let wishes = self.runtime.step(now).into_iter().map(|action| match action {
            Action::Append(instance, append) => Wish::Append(instance, append),
            Action::Command(Outgoing { instance, output, content, origin }) => {
                Wish::Command(instance, output, content, origin)
            }
            Action::Effect(Outgoing { instance, output, content, origin }) => {
                Wish::Effect(instance, output, content, origin)
            }
            Action::Parked(poison) => panic!("{poison}"),
        });
        wishes.collect()
    }

    fn on_append_failed(&mut self, instance: &str, error: &AppendError, now: Timestamp) {
        let parked = self.runtime.on_append_failed(instance, error, now);
        assert!(parked.is_none(), "{parked:?}");
    }

    fn on_result(&mut self, instance: &str, output: OutputId, answer: Answer) {
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
