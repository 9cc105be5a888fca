//! A command port over a log in memory: the real executor, with nothing in the air between two steps.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::executor::{Action, CommandResult, Executor};
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::testkit::sealed;
use souk_eventsourcing::{
    Append, AppendError, Appended, Clock, CommandError, CommandId, CommandPort, CommandRequest, Decider,
    EventId, Expected, Loaded, Outcome, Position, RecordedEvent, Revision, StoreError, StreamName,
};

/// Every event of a test, by stream.
#[derive(Default)]
pub(crate) struct Log {
    streams: HashMap<StreamName, Vec<RecordedEvent>>,
    ids: HashSet<EventId>,
    /// The streams of aggregates that were loaded.
    pub(crate) loads: Vec<StreamName>,
    /// How many events there are.
    pub(crate) head: u64,
}

impl Log {
    /// The events of a stream.
    pub(crate) fn stream(&self, stream: &StreamName) -> Vec<RecordedEvent> {
        self.streams.get(stream).cloned().unwrap_or_default()
    }

    /// Every stream and its events.
    pub(crate) fn all(&self) -> Vec<(StreamName, Vec<RecordedEvent>)> {
        self.streams.iter().map(|(stream, events)| (stream.clone(), events.clone())).collect()
    }

    /// The streams of a category.
    pub(crate) fn of_category(&self, category: &str) -> Vec<StreamName> {
        self.streams.keys().filter(|stream| stream.category() == category).cloned().collect()
    }

    fn append(&mut self, append: Append) -> Result<Appended, AppendError> {
        append.check_limits()?;
        let Append { stream, expected, events } = append;
        if events.iter().any(|event| self.ids.contains(&event.id)) {
            return Err(AppendError::Duplicate { stream });
        }
        let present = self.streams.entry(stream.clone()).or_default();
        let current = present.last().map(|event| event.revision);
        if expected != Expected::Any && expected != Expected::from_last(current) {
            return Err(AppendError::Conflict { stream, current });
        }
        let first_revision = Revision::after(current);
        let mut positions = Vec::new();
        for (event, revision) in sealed(events).into_iter().zip(first_revision.0..) {
            self.head += 1;
            self.ids.insert(event.id);
            let position = Position(self.head);
            positions.push(position);
            present.push(RecordedEvent {
                position,
                stream: stream.clone(),
                revision: Revision(revision),
                event,
            });
        }
        Ok(Appended { first_revision, positions })
    }

    fn find(&self, stream: &StreamName, command: CommandId) -> Option<FoundCommand> {
        let events = self.streams.get(stream)?.iter().filter(|event| event.event.command_id == command);
        let events: Vec<_> = events.collect();
        let (first, last) = (events.first()?, events.last()?);
        let (last_revision, last_position) = (last.revision, last.position);
        Some(FoundCommand { first: (*first).clone(), last_revision, last_position })
    }
}

/// The port of one kind of aggregate.
pub(crate) struct MemoryPort<D: Decider> {
    executor: Mutex<Executor<D>>,
    log: Arc<Mutex<Log>>,
    clock: Arc<dyn Clock>,
}

/// What came out of running the executor until it had nothing more to do.
enum Done<D: Decider> {
    Command(CommandResult<D>),
    Load(Result<Option<Loaded<D>>, StoreError>),
}

impl<D: Decider> MemoryPort<D> {
    /// A port over the log.
    pub(crate) fn open(log: &Arc<Mutex<Log>>, clock: &Arc<dyn Clock>) -> Arc<dyn CommandPort<D>> {
        let executor = Mutex::new(Executor::new(100, true));
        Arc::new(Self { executor, log: Arc::clone(log), clock: Arc::clone(clock) })
    }

    fn run(&self, start: impl FnOnce(&mut Executor<D>) -> Vec<Action<D>>) -> Done<D> {
        let mut executor = self.executor.lock().unwrap();
        let mut log = self.log.lock().unwrap();
        let now = self.clock.now();
        let mut actions = VecDeque::from(start(&mut executor));
        while let Some(action) = actions.pop_front() {
            actions.extend(match action {
                Action::Append(append) => {
                    let stream = append.stream.clone();
                    executor.on_appended(&stream, log.append(append), now)
                }
                Action::Read(stream, from) => {
                    let events =
                        log.stream(&stream).into_iter().filter(|event| event.revision >= from).collect();
                    executor.on_read(&stream, Ok(events), now)
                }
                Action::Find(stream, command) => {
                    executor.on_found(&stream, command, Ok(log.find(&stream, command)), now)
                }
                Action::Answer(_, result) => return Done::Command(result),
                Action::AnswerLoad(_, result) => return Done::Load(result),
            });
        }
        panic!("the executor answers every caller");
    }
}

#[async_trait]
impl<D: Decider> CommandPort<D> for MemoryPort<D> {
    async fn execute(
        &self,
        request: CommandRequest<D::Command>,
    ) -> Result<Outcome<D>, CommandError<D::Rejection>> {
        match self.run(|executor| executor.on_command(1, request, self.clock.now())) {
            Done::Command(result) => result,
            Done::Load(_) => panic!("a command is answered as a command"),
        }
    }

    async fn find(
        &self,
        stream: &StreamName,
        origin: &Origin,
    ) -> Result<Option<FoundCommand>, CommandError<D::Rejection>> {
        let found = self.log.lock().unwrap().find(stream, origin.command_id);
        found.map(|found| found.of_request(origin)).transpose()
    }

    async fn load(&self, stream: &StreamName) -> Result<Option<Loaded<D>>, StoreError> {
        self.log.lock().unwrap().loads.push(stream.clone());
        match self.run(|executor| executor.on_load(1, stream, self.clock.now())) {
            Done::Load(result) => result,
            Done::Command(_) => panic!("a load is answered as a load"),
        }
    }

    async fn events(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let events = self.log.lock().unwrap().stream(stream).into_iter();
        Ok(events.filter(|event| event.revision >= from).take(limit).collect())
    }
}
