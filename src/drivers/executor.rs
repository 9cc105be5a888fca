//! Drives an executor: a command port over the event store.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::executor::{Action, CommandResult, Executor, LOAD_EVENTS_MAX, Ticket};
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    AppendError, Appended, Clock, CommandError, CommandPort, CommandRequest, Decider, EventStore, Loaded,
    Outcome, RecordedEvent, Revision, StoreError, StreamName,
};
use tokio::sync::oneshot;

/// Parts of folded states kept in memory for each kind of aggregate: a state has a few, and one for each of its lines
/// or reservations. Carts of one line: 8,000.
pub const CACHED_PARTS_MAX: usize = 50_000;

type LoadResult<D> = Result<Option<Loaded<D>>, StoreError>;

/// The command port of one kind of aggregate.
pub struct ExecutorDriver<D: Decider> {
    inner: Arc<Inner<D>>,
}

struct Inner<D: Decider> {
    store: Arc<dyn EventStore>,
    clock: Arc<dyn Clock>,
    desk: Mutex<Desk<D>>,
}

/// The executor and those who wait for its answers.
struct Desk<D: Decider> {
    executor: Executor<D>,
    callers: HashMap<Ticket, oneshot::Sender<CommandResult<D>>>,
    loaders: HashMap<Ticket, oneshot::Sender<LoadResult<D>>>,
    tickets: Ticket,
}

impl<D: Decider> ExecutorDriver<D> {
    /// A port over the store.
    pub fn new(store: Arc<dyn EventStore>, clock: Arc<dyn Clock>) -> Self {
        let executor = Executor::new(CACHED_PARTS_MAX, store.is_exclusive());
        let desk = Desk { executor, callers: HashMap::new(), loaders: HashMap::new(), tickets: 0 };
        Self { inner: Arc::new(Inner { store, clock, desk: Mutex::new(desk) }) }
    }
}

impl<D: Decider> Inner<D> {
    fn desk(&self) -> MutexGuard<'_, Desk<D>> {
        // A step that panicked is a bug in a decider: its command is not answered, the others go on.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Answers callers at once and starts everything else as tasks.
    fn carry_out(self: &Arc<Self>, actions: Vec<Action<D>>) {
        for action in actions {
            match action {
                Action::Answer(ticket, result) => {
                    let caller = self.desk().callers.remove(&ticket);
                    // A caller that went away has no use for the answer.
                    let _ = caller.map(|caller| caller.send(result));
                }
                Action::AnswerLoad(ticket, result) => {
                    let loader = self.desk().loaders.remove(&ticket);
                    let _ = loader.map(|loader| loader.send(result));
                }
                request => {
                    let inner = Arc::clone(self);
                    tokio::spawn(async move { inner.ask_store(request).await });
                }
            }
        }
    }

    async fn ask_store(self: Arc<Self>, request: Action<D>) {
        let actions = match request {
            Action::Append(append) => {
                let stream = append.stream.clone();
                let result = finished(self.store.append(append)).await.unwrap_or_else(|e| Err(e.into()));
                count::<D>(&result);
                self.desk().executor.on_appended(&stream, result, self.clock.now())
            }
            Action::Read(stream, from) => {
                let read = self.store.read_stream(&stream, from, LOAD_EVENTS_MAX);
                let result = finished(read).await.unwrap_or_else(Err);
                self.desk().executor.on_read(&stream, result, self.clock.now())
            }
            Action::Find(stream, command) => {
                let result = finished(self.store.find_command(&stream, command)).await.unwrap_or_else(Err);
                self.desk().executor.on_found(&stream, command, result, self.clock.now())
            }
            Action::Answer(..) | Action::AnswerLoad(..) => return,
        };
        self.carry_out(actions);
    }
}

/// Returns the store's answer; an error if it panics, so that everybody who waits is answered.
async fn finished<T>(asked: impl Future<Output = T>) -> Result<T, StoreError> {
    let finished = AssertUnwindSafe(asked).catch_unwind().await;
    finished.map_err(|_| StoreError::Unavailable("the log's engine panicked".to_owned()))
}

/// Appends and conflicts by kind of aggregate, for `/metrics`.
fn count<D: Decider>(result: &Result<Appended, AppendError>) {
    let is_conflict = matches!(result, Err(AppendError::Conflict { .. } | AppendError::Duplicate { .. }));
    metrics::counter!("souk_executor_appends_total", "category" => D::CATEGORY).increment(1);
    metrics::counter!("souk_executor_conflicts_total", "category" => D::CATEGORY)
        .increment(is_conflict.into());
}

fn stopped() -> StoreError {
    StoreError::Unavailable("the shop is stopping".to_owned())
}

#[async_trait]
impl<D: Decider> CommandPort<D> for ExecutorDriver<D> {
    async fn execute(
        &self,
        request: CommandRequest<D::Command>,
    ) -> Result<Outcome<D>, CommandError<D::Rejection>> {
        let (sender, receiver) = oneshot::channel();
        let actions = {
            let mut desk = self.inner.desk();
            desk.tickets += 1;
            let ticket = desk.tickets;
            desk.callers.insert(ticket, sender);
            desk.executor.on_command(ticket, request, self.inner.clock.now())
        };
        self.inner.carry_out(actions);
        receiver.await.unwrap_or_else(|_| Err(stopped().into()))
    }

    async fn find(
        &self,
        stream: &StreamName,
        origin: &Origin,
    ) -> Result<Option<FoundCommand>, CommandError<D::Rejection>> {
        let found = self.inner.store.find_command(stream, origin.command_id).await?;
        found.map(|found| found.of_request(origin)).transpose()
    }

    async fn load(&self, stream: &StreamName) -> LoadResult<D> {
        let (sender, receiver) = oneshot::channel();
        let actions = {
            let mut desk = self.inner.desk();
            desk.tickets += 1;
            let ticket = desk.tickets;
            desk.loaders.insert(ticket, sender);
            desk.executor.on_load(ticket, stream, self.inner.clock.now())
        };
        self.inner.carry_out(actions);
        receiver.await.unwrap_or_else(|_| Err(stopped()))
    }

    async fn events(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.inner.store.read_stream(stream, from, limit).await
    }
}
