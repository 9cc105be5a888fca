//! Driver of an executor: a command port on top of the event store.

use std::collections::HashMap;
use std::panic::AssertUnwindSafe;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use futures_util::FutureExt as _;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::executor::{Action, CommandResult, Executor, LOAD_EVENTS_MAX, Ticket};
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    AppendError, Appended, CommandError, CommandPort, CommandRequest, Decider, Loaded, Outcome,
    RecordedEvent, Revision, StoreError, StreamName,
};
use tokio::sync::oneshot;

use super::SharedStore;
use crate::clock::SharedClock;

/// Size of the cache of states, for each kind of aggregate. The size of a state is counted in parts: a few
/// for the state itself, and one for each of its lines or reservations. So the cache holds about 8,000 carts
/// with one line.
pub const CACHED_PARTS_MAX: usize = 50_000;

type LoadResult<D> = Result<Option<Loaded<D>>, StoreError>;

/// Command port of one kind of aggregate.
pub struct ExecutorDriver<D: Decider> {
    inner: Arc<Inner<D>>,
}

struct Inner<D: Decider> {
    store: SharedStore,
    clock: SharedClock,
    state: Mutex<State<D>>,
}

/// The executor, and the callers that wait for its results.
struct State<D: Decider> {
    executor: Executor<D>,
    callers: HashMap<Ticket, oneshot::Sender<CommandResult<D>>>,
    loaders: HashMap<Ticket, oneshot::Sender<LoadResult<D>>>,
    last_ticket: Ticket,
}

impl<D: Decider> ExecutorDriver<D> {
    /// Creates a port on top of a store.
    pub fn new(store: SharedStore, clock: SharedClock) -> Self {
        let executor = Executor::new(CACHED_PARTS_MAX, store.is_exclusive());
        let state = State { executor, callers: HashMap::new(), loaders: HashMap::new(), last_ticket: 0 };
        Self { inner: Arc::new(Inner { store, clock, state: Mutex::new(state) }) }
    }
}

impl<D: Decider> Inner<D> {
    fn state(&self) -> MutexGuard<'_, State<D>> {
        // A panic here is a bug of a decider. The command that caused it gets no result, and other commands
        // continue.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Sends results to callers at once, and starts a task for each access to the store.
    fn carry_out(self: &Arc<Self>, actions: Vec<Action<D>>) {
        for action in actions {
            match action {
                Action::Answer(ticket, result) => {
                    let caller = self.state().callers.remove(&ticket);
                    // A caller that went away does not need the result.
                    let _ = caller.map(|caller| caller.send(result));
                }
                Action::AnswerLoad(ticket, result) => {
                    let loader = self.state().loaders.remove(&ticket);
                    let _ = loader.map(|loader| loader.send(result));
                }
                request => {
                    let inner = Arc::clone(self);
                    tokio::spawn(async move { inner.access_store(request).await });
                }
            }
        }
    }

    async fn access_store(self: Arc<Self>, request: Action<D>) {
        let actions = match request {
            Action::Append(append) => {
                let stream = append.stream.clone();
                let result = catch_panic(self.store.append(append)).await.unwrap_or_else(|e| Err(e.into()));
                count::<D>(&result);
                self.state().executor.on_appended(&stream, result, self.clock.now())
            }
            Action::Read(stream, from) => {
                let read = self.store.read_stream(&stream, from, LOAD_EVENTS_MAX);
                let result = catch_panic(read).await.unwrap_or_else(Err);
                self.state().executor.on_read(&stream, result, self.clock.now())
            }
            Action::Find(stream, command) => {
                let result = catch_panic(self.store.find_command(&stream, command)).await.unwrap_or_else(Err);
                self.state().executor.on_found(&stream, command, result, self.clock.now())
            }
            Action::Answer(..) | Action::AnswerLoad(..) => return,
        };
        self.carry_out(actions);
    }
}

/// Returns the result of an access to the store, or an error if the access panics. So every waiting caller
/// gets a result.
async fn catch_panic<T>(access: impl Future<Output = T>) -> Result<T, StoreError> {
    let result = AssertUnwindSafe(access).catch_unwind().await;
    result.map_err(|_| StoreError::Unavailable("the engine of the log panicked".to_owned()))
}

/// Counts appends and conflicts by kind of aggregate, for `/metrics`.
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
            let mut state = self.inner.state();
            state.last_ticket += 1;
            let ticket = state.last_ticket;
            state.callers.insert(ticket, sender);
            state.executor.on_command(ticket, request, self.inner.clock.now())
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
            let mut state = self.inner.state();
            state.last_ticket += 1;
            let ticket = state.last_ticket;
            state.loaders.insert(ticket, sender);
            state.executor.on_load(ticket, stream, self.inner.clock.now())
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
