//! A command port over a log in memory. It runs the real executor, and completes each command before it
//! returns.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use souk_domain::OpenPort;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::executor::{Action, CommandResult, Executor};
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::testkit::sealed;
use souk_eventsourcing::{
    Append, AppendError, Appended, Clock, CommandError, CommandId, CommandPort, CommandRequest, Decider,
    EventId, Expected, Loaded, Outcome, Position, RecordedEvent, Revision, StoreError, StreamName,
};

/// All events of a test, by stream.
#[derive(Default)]
pub(crate) struct Log {
    streams: HashMap<StreamName, Vec<RecordedEvent>>,
    ids: HashSet<EventId>,
    /// Stream of each call of [`CommandPort::load`], in the order of the calls.
    pub(crate) loads: Vec<StreamName>,
    /// Number of events.
    pub(crate) head: u64,
}

impl Log {
    /// Returns the events of a stream.
    pub(crate) fn stream(&self, stream: &StreamName) -> Vec<RecordedEvent> {
        self.streams.get(stream).cloned().unwrap_or_default()
    }

    /// Returns every stream with its events.
    pub(crate) fn all(&self) -> Vec<(StreamName, Vec<RecordedEvent>)> {
        self.streams.iter().map(|(stream, events)| (stream.clone(), events.clone())).collect()
    }

    /// Returns the streams of a category.
    pub(crate) fn of_category(&self, category: &str) -> Vec<StreamName> {
        self.streams.keys().filter(|stream| stream.category() == category).cloned().collect()
    }

    fn append(&mut self, append: Append) -> Result<Appended, AppendError> {
        append.check_limits()?;
        let Append { stream, expected, events } = append;
        if events.iter().any(|event| self.ids.contains(&event.id)) {
            return Err(AppendError::Duplicate { stream });
        }
        let recorded = self.streams.entry(stream.clone()).or_default();
        let current = recorded.last().map(|event| event.revision);
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
            recorded.push(RecordedEvent {
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
        let first = (*events.first()?).clone();
        let last = events.last()?;
        Some(FoundCommand { first, last_revision: last.revision, last_position: last.position })
    }
}

/// A command port for one kind of aggregate.
struct MemoryPort<D: Decider> {
    executor: Mutex<Executor<D>>,
    log: Arc<Mutex<Log>>,
    clock: Arc<dyn Clock>,
}

/// Result of the executor: that of a command, or that of a load.
enum ExecutorResult<D: Decider> {
    Command(CommandResult<D>),
    Load(Result<Option<Loaded<D>>, StoreError>),
}

/// Opens command ports over one log in memory.
pub(crate) struct MemoryPorts {
    pub(crate) log: Arc<Mutex<Log>>,
    pub(crate) clock: Arc<dyn Clock>,
}

impl OpenPort for MemoryPorts {
    fn open<D: Decider>(&self) -> Arc<dyn CommandPort<D>> {
        let executor = Mutex::new(Executor::new(100, true));
        Arc::new(MemoryPort { executor, log: Arc::clone(&self.log), clock: Arc::clone(&self.clock) })
    }
}

impl<D: Decider> MemoryPort<D> {
    fn run(&self, start: impl FnOnce(&mut Executor<D>) -> Vec<Action<D>>) -> ExecutorResult<D> {
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
                Action::Answer(_, result) => return ExecutorResult::Command(result),
                Action::AnswerLoad(_, result) => return ExecutorResult::Load(result),
            });
        }
        panic!("the executor must return a result");
    }
}

#[async_trait]
impl<D: Decider> CommandPort<D> for MemoryPort<D> {
    async fn execute(
        &self,
        request: CommandRequest<D::Command>,
    ) -> Result<Outcome<D>, CommandError<D::Rejection>> {
        match self.run(|executor| executor.on_command(1, request, self.clock.now())) {
            ExecutorResult::Command(result) => result,
            ExecutorResult::Load(_) => panic!("a command must return the result of a command"),
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
            ExecutorResult::Load(result) => result,
            ExecutorResult::Command(_) => panic!("a load must return the result of a load"),
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
