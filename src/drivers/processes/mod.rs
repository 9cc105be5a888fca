//! Driver of a process: it follows the log, runs the steps of the process, and carries out their outputs.

mod driver;
mod jobs;

use std::sync::Arc;
use std::time::Duration;

use crate::drivers::dispatch::CommandSender;
use souk_domain::AggregateCommand;
use souk_eventsourcing::parking::ParkingChange;
use souk_eventsourcing::process::{
    Process, ProcessChange, ProcessRows, ProcessShape, ProcessStateError, ProcessStateStore,
};
use souk_eventsourcing::process_runtime::{ProcessError, ProcessRuntime};
use souk_eventsourcing::reactor::Reactor;
use souk_eventsourcing::{EventStore, Position, StoreError};
use tokio::sync::{mpsc, oneshot, watch};

use super::SharedStore;
use super::follow::{LogSource, follow};
use super::parked::{self, ParkedRequest};
use super::parts::Part;
use crate::clock::SharedClock;
use driver::Driver;

/// Maximum number of events in one page.
const PAGE_EVENTS_MAX: usize = 2_048;
/// Timeout of an operator's request to a read model or process. A failed one never responds.
pub const OPERATOR_WAIT_MAX: Duration = Duration::from_secs(30);
/// Maximum number of operators' requests that wait for the process.
const REQUESTS_MAX: usize = 64;

/// Engines and ports that every process needs.
#[derive(Clone)]
pub struct ProcessPorts {
    /// Store that contains the log.
    pub store: SharedStore,
    /// Store for the rows of process state.
    pub rows: Arc<dyn ProcessStateStore>,
    /// Source of the current time.
    pub clock: SharedClock,
    /// Command ports of the aggregates.
    pub sender: CommandSender,
}

/// Reason why a process stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProcessStopped {
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log can't be folded.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// The rows of process state can't be read or written.
    #[error(transparent)]
    Rows(#[from] ProcessStateError),
}

/// Handle of a process. It stays valid when the process is restarted.
#[derive(Clone)]
pub struct ProcessHandle {
    /// Name of the process, which is the category of its streams.
    pub name: &'static str,
    requests: mpsc::Sender<ProcessRequest>,
    /// Position of the process after its last step. `None` while it catches up.
    pub live_at: watch::Receiver<Option<Position>>,
}

/// Counterpart of the handle, for the process itself.
#[derive(Clone)]
pub struct ProcessInbox {
    requests: Arc<tokio::sync::Mutex<mpsc::Receiver<ProcessRequest>>>,
    live_at: watch::Sender<Option<Position>>,
}

/// Creates the handle of a process, and its counterpart.
pub fn handle<P: Process>() -> (ProcessHandle, ProcessInbox) {
    let (sender, requests) = mpsc::channel(REQUESTS_MAX);
    let (live_sender, live_at) = watch::channel(None);
    let inbox = ProcessInbox { requests: Arc::new(tokio::sync::Mutex::new(requests)), live_at: live_sender };
    (ProcessHandle { name: P::NAME, requests: sender, live_at }, inbox)
}

impl ProcessHandle {
    /// Fires the due timers now. Returns their number, or 0 if the process is not running.
    pub async fn run_due_timers(&self) -> usize {
        let (sender, receiver) = oneshot::channel();
        let fired = async {
            self.requests.send(ProcessRequest::RunTimers(sender)).await.ok()?;
            receiver.await.ok()
        };
        tokio::time::timeout(OPERATOR_WAIT_MAX, fired).await.ok().flatten().unwrap_or(0)
    }

    /// Sends a request about a parked entity. If the process has stopped, the request is dropped and its
    /// sender notices that.
    pub async fn send(&self, request: ParkedRequest) {
        let _ = self.requests.send(ProcessRequest::Parked(request)).await;
    }
}

/// Request of an operator to a process.
pub(super) enum ProcessRequest {
    RunTimers(oneshot::Sender<usize>),
    Parked(ParkedRequest),
}

/// Restores the process from its rows and follows the log until `stop` becomes true. `reactor` carries out
/// the effects of the process.
pub async fn run<P>(
    ports: ProcessPorts,
    reactor: Arc<dyn Reactor<P::Effect>>,
    inbox: ProcessInbox,
    part: Arc<Part>,
    stop: watch::Receiver<bool>,
) -> Result<(), ProcessStopped>
where
    P: Process<Command = AggregateCommand>,
{
    let runtime = restored::<P>(&ports).await?;
    let position = runtime.position();
    let log = LogSource {
        store: Arc::clone(&ports.store),
        clock: Arc::clone(&ports.clock),
        filter: ProcessRuntime::<P>::filter(),
        page_events_max: PAGE_EVENTS_MAX,
    };
    inbox.live_at.send_replace(None);
    // The lock is free: an earlier run of the process has ended.
    let requests = inbox.requests.lock_owned().await;
    let driver = Driver::new(ports, reactor, runtime, requests, inbox.live_at);
    follow(driver, log, position, &part, stop).await
}

/// Fails if the checkpoint of the rows is beyond the end of the log, because then the log lost events.
pub async fn check(ports: &ProcessPorts, shape: ProcessShape) -> Result<(), ProcessStopped> {
    let stored = ports.rows.checkpoint(shape).await?;
    let head = ports.store.head().await?;
    if stored > head {
        let detail = format!("process {} is at position {stored}, but the log ends at {head}", shape.name);
        return Err(StoreError::Damaged(detail).into());
    }
    Ok(())
}

/// Restores the runtime from the stored rows. If a row can't be read, all rows are rebuilt from the log.
async fn restored<P: Process>(ports: &ProcessPorts) -> Result<ProcessRuntime<P>, ProcessStopped> {
    let shape = ProcessShape::of::<P>();
    ports.rows.forget_others(shape).await?;
    check(ports, shape).await?;
    let stored = ports.rows.load(shape).await?;
    let removal = ProcessChange {
        rows: stored.rows.iter().map(|(instance, _)| (instance.clone(), None)).collect(),
        parking: ParkingChange { released: stored.parked.clone(), ..ParkingChange::default() },
        checkpoint: Position::START,
    };
    let mut runtime = match ProcessRuntime::<P>::restore(stored) {
        Ok(runtime) => runtime,
        Err(error @ ProcessError::Row { .. }) => {
            tracing::warn!(process = P::NAME, %error, "the rows of the process are rebuilt from the log");
            ports.rows.save(shape, removal).await?;
            ProcessRuntime::restore(ProcessRows::default())?
        }
        Err(error) => return Err(error.into()),
    };
    for skip in parked::skips_of(&*ports.store, P::NAME).await? {
        runtime.skip(skip);
    }
    Ok(runtime)
}

/// Builds rows of a new shape from the log, up to a position, without carrying out outputs. An event that the
/// process can't handle is an error.
pub async fn prepare<P: Process>(
    store: &dyn EventStore,
    rows: &dyn ProcessStateStore,
    to: Position,
    mut progress: impl FnMut(Position) + Send,
) -> Result<(), ProcessStopped> {
    let mut runtime = ProcessRuntime::<P>::restore(ProcessRows::default())?;
    for skip in parked::skips_of(store, P::NAME).await? {
        runtime.skip(skip);
    }
    while runtime.position() < to {
        let filter = ProcessRuntime::<P>::filter();
        let page = store.read_all(runtime.position(), PAGE_EVENTS_MAX, &filter).await?;
        runtime.on_events(&page.events)?;
        runtime.on_reached(page.reached);
        progress(page.reached);
    }
    Ok(rows.save(ProcessShape::of::<P>(), runtime.change()).await?)
}

#[cfg(test)]
mod tests {
    use souk_domain::Sku;
    use souk_domain::stock::{Stock, StockCommand};
    use souk_eventsourcing::envelope::Origin;
    use souk_eventsourcing::process::{ProcessShape, ProcessStateStore as _};
    use souk_eventsourcing::{Actor, CommandRequest, CorrelationId};
    use souk_process_managers::checkout::Checkout;
    use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

    use crate::testing::TestShop;

    #[tokio::test]
    async fn unreadable_rows_are_rebuilt_from_the_log() {
        let test = TestShop::open().await;
        let ports = &test.shop.ports;
        let stream = Stock::stream(&Sku::parse("A1").unwrap());
        let id = ports.clock.new_id();
        let origin = Origin::new(id, Actor::new("test", "x"), CorrelationId::from(id));
        let count = CommandRequest::new(stream, StockCommand::Count { on_hand: 1 }, origin);
        let head = ports.aggregates.stock.execute(count).await.unwrap().position;
        test.shop.wait_for(head).await;
        let models = SqliteConnectOptions::new().filename(test.shop.read_models.path());
        let test = test.reopened(async || {
            let pool = SqlitePoolOptions::new().connect_with(models).await.unwrap();
            let sql = "INSERT INTO process_instances VALUES ('checkout', ?1, 'x', x'7b')";
            let version = ProcessShape::of::<Checkout>().version;
            sqlx::query(sql).bind(version).execute(&pool).await.unwrap();
            pool.close().await;
        });
        let test = test.await;
        for process in &test.shop.processes {
            process.live_at.clone().wait_for(|live| live.is_some_and(|at| at >= head)).await.unwrap();
        }
        let rows = test.shop.read_models.load(ProcessShape::of::<Checkout>()).await.unwrap().rows;
        assert!(rows.is_empty(), "the unreadable row must be removed: {rows:?}");
    }
}
