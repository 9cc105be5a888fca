//! Command ports over the log of the test shop. They run the real executor, and complete each command before
//! they return.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex as StdMutex};

use async_trait::async_trait;
use souk_domain::OpenPort;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::executor::{Action, CommandResult, Executor, LOAD_EVENTS_MAX};
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::testkit::sealed;
use souk_eventsourcing::{
    Append, Clock, CommandError, CommandPort, CommandRequest, Decider, EventStore, Loaded, Outcome,
    RecordedEvent, Revision, StoreError, StreamName,
};
use souk_sqlite_log::SqliteLog;
use tokio::sync::Mutex;

/// Size of the cache of states, for each kind of aggregate. It is small, so that tests also run without it.
const CACHED_PARTS_MAX: usize = 100;

/// Opens command ports over one log.
pub(crate) struct LogPorts {
    pub(crate) log: Arc<SqliteLog>,
    pub(crate) clock: Arc<dyn Clock>,
    /// Stream of each call of [`CommandPort::load`], in the order of the calls.
    pub(crate) loads: Arc<StdMutex<Vec<StreamName>>>,
}

/// A command port for one kind of aggregate.
struct LogPort<D: Decider> {
    executor: Mutex<Executor<D>>,
    log: Arc<SqliteLog>,
    clock: Arc<dyn Clock>,
    loads: Arc<StdMutex<Vec<StreamName>>>,
}

/// Result of the executor: that of a command, or that of a load.
enum ExecutorResult<D: Decider> {
    Command(CommandResult<D>),
    Load(Result<Option<Loaded<D>>, StoreError>),
}

impl OpenPort for LogPorts {
    fn open<D: Decider>(&self) -> Arc<dyn CommandPort<D>> {
        Arc::new(LogPort {
            executor: Mutex::new(Executor::new(CACHED_PARTS_MAX, self.log.is_exclusive())),
            log: Arc::clone(&self.log),
            clock: Arc::clone(&self.clock),
            loads: Arc::clone(&self.loads),
        })
    }
}

impl<D: Decider> LogPort<D> {
    /// Runs the executor until it returns a result.
    async fn run(&self, start: impl FnOnce(&mut Executor<D>) -> Vec<Action<D>>) -> ExecutorResult<D> {
        let mut executor = self.executor.lock().await;
        let now = self.clock.now();
        let mut actions = VecDeque::from(start(&mut executor));
        while let Some(action) = actions.pop_front() {
            actions.extend(match action {
                Action::Append(append) => {
                    let stream = append.stream.clone();
                    let append = Append { events: sealed(append.events), ..append };
                    executor.on_appended(&stream, self.log.append(append).await, now)
                }
                Action::Read(stream, from) => {
                    let events = self.log.read_stream(&stream, from, LOAD_EVENTS_MAX).await;
                    executor.on_read(&stream, events, now)
                }
                Action::Find(stream, command) => {
                    let found = self.log.find_command(&stream, command).await;
                    executor.on_found(&stream, command, found, now)
                }
                Action::Answer(_, result) => return ExecutorResult::Command(result),
                Action::AnswerLoad(_, result) => return ExecutorResult::Load(result),
            });
        }
        panic!("the executor must return a result");
    }
}

#[async_trait]
impl<D: Decider> CommandPort<D> for LogPort<D> {
    async fn execute(
        &self,
        request: CommandRequest<D::Command>,
    ) -> Result<Outcome<D>, CommandError<D::Rejection>> {
        match self.run(|executor| executor.on_command(1, request, self.clock.now())).await {
            ExecutorResult::Command(result) => result,
            ExecutorResult::Load(_) => panic!("a command must return the result of a command"),
        }
    }

    async fn find(
        &self,
        stream: &StreamName,
        origin: &Origin,
    ) -> Result<Option<FoundCommand>, CommandError<D::Rejection>> {
        let found = self.log.find_command(stream, origin.command_id).await?;
        found.map(|found| found.of_request(origin)).transpose()
    }

    async fn load(&self, stream: &StreamName) -> Result<Option<Loaded<D>>, StoreError> {
        self.loads.lock().unwrap().push(stream.clone());
        match self.run(|executor| executor.on_load(1, stream, self.clock.now())).await {
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
        self.log.read_stream(stream, from, limit).await
    }
}
