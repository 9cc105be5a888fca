//! Drives a process: follows the log, makes its steps, carries out what they ask for.

mod driver;
mod jobs;

use std::sync::Arc;
use std::time::Duration;

use crate::drivers::dispatch::ShopPorts;
use souk_eventsourcing::parking::ParkingChange;
use souk_eventsourcing::process::{
    Process, ProcessChange, ProcessRows, ProcessShape, ProcessStateError, ProcessStateStore,
};
use souk_eventsourcing::process_runtime::{ProcessError, ProcessRuntime};
use souk_eventsourcing::reactor::Reactor;
use souk_eventsourcing::{Clock, EventStore, Position, StoreError};
use souk_process_managers::{ProviderCall, ShopCommand};
use tokio::sync::{mpsc, oneshot, watch};

use super::follow::{Log, follow};
use super::parked::{self, Order};
use super::parts::Part;
use driver::Driver;

/// Events folded at once.
const PAGE_EVENTS_MAX: usize = 2_048;
/// The longest wait of an operator for the answer of a read model or process. One that has failed answers nobody.
pub const OPERATOR_WAIT_MAX: Duration = Duration::from_secs(30);
/// Requests of operators that wait for the process.
const REQUESTS_MAX: usize = 64;

/// The engines that a process needs.
#[derive(Clone)]
pub struct ProcessPorts {
    /// The log.
    pub store: Arc<dyn EventStore>,
    /// The store of the rows of processes.
    pub rows: Arc<dyn ProcessStateStore>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// The aggregates it commands.
    pub shop: ShopPorts,
    /// The payment provider.
    pub effects: Arc<dyn Reactor<ProviderCall>>,
}

/// The reason why a process stopped.
#[derive(Debug, thiserror::Error)]
pub enum ProcessStopped {
    /// The log can't be read.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The log can't be folded.
    #[error(transparent)]
    Process(#[from] ProcessError),
    /// Its rows can't be read or written.
    #[error(transparent)]
    Rows(#[from] ProcessStateError),
}

/// A process, seen from outside; it stays the same when the process is started again.
#[derive(Clone)]
pub struct ProcessHandle {
    /// The category of its streams.
    pub name: &'static str,
    requests: mpsc::Sender<Request>,
    /// The position that it has read to, once it is live.
    pub live_at: watch::Receiver<Option<Position>>,
}

/// The process's end of its handle.
#[derive(Clone)]
pub struct ProcessDesk {
    requests: Arc<tokio::sync::Mutex<mpsc::Receiver<Request>>>,
    live_at: watch::Sender<Option<Position>>,
}

/// A handle of a process, and the desk at which it answers.
pub fn handle<P: Process>() -> (ProcessHandle, ProcessDesk) {
    let (sender, requests) = mpsc::channel(REQUESTS_MAX);
    let (live_sender, live_at) = watch::channel(None);
    let desk = ProcessDesk { requests: Arc::new(tokio::sync::Mutex::new(requests)), live_at: live_sender };
    (ProcessHandle { name: P::NAME, requests: sender, live_at }, desk)
}

impl ProcessHandle {
    /// Lets the timers that are due go off now and tells how many there were; 0 while it does not run.
    pub async fn run_due_timers(&self) -> usize {
        let (sender, receiver) = oneshot::channel();
        let fired = async {
            self.requests.send(Request::RunTimers(sender)).await.ok()?;
            receiver.await.ok()
        };
        tokio::time::timeout(OPERATOR_WAIT_MAX, fired).await.ok().flatten().unwrap_or(0)
    }

    /// Carries out what an operator asks of what is parked; an order that can't be carried out any more is
    /// dropped with its answer.
    pub async fn order(&self, order: Order) {
        let _ = self.requests.send(Request::Parked(order)).await;
    }
}

/// A request of an operator.
pub(super) enum Request {
    RunTimers(oneshot::Sender<usize>),
    Parked(Order),
}

/// Starts the process as of its rows and follows the log until `stop` flips.
pub async fn run<P>(
    ports: ProcessPorts,
    desk: ProcessDesk,
    part: Arc<Part>,
    stop: watch::Receiver<bool>,
) -> Result<(), ProcessStopped>
where
    P: Process<Command = ShopCommand, Effect = ProviderCall>,
{
    let runtime = restored::<P>(&ports).await?;
    let position = runtime.position();
    let log = Log {
        store: Arc::clone(&ports.store),
        clock: Arc::clone(&ports.clock),
        filter: ProcessRuntime::<P>::filter(),
        page_events_max: PAGE_EVENTS_MAX,
    };
    desk.live_at.send_replace(None);
    // Of a process that was started again the earlier one has ended.
    let requests = desk.requests.lock_owned().await;
    let driver = Driver::new(ports, runtime, requests, desk.live_at);
    follow(driver, log, position, &part, stop).await
}

/// Refuses rows that have seen more than the log holds: the log lost events.
pub async fn check<P: Process>(ports: &ProcessPorts) -> Result<(), ProcessStopped> {
    let stored = ports.rows.checkpoint(ProcessShape::of::<P>()).await?;
    let head = ports.store.head().await?;
    if stored > head {
        let what = format!("process {} has seen position {stored}, the log ends at {head}", P::NAME);
        return Err(StoreError::Damaged(what).into());
    }
    Ok(())
}

/// The runtime as of the stored rows. Rows that can't be read are made anew from the log.
async fn restored<P: Process>(ports: &ProcessPorts) -> Result<ProcessRuntime<P>, ProcessStopped> {
    let shape = ProcessShape::of::<P>();
    ports.rows.forget_others(shape).await?;
    check::<P>(ports).await?;
    let stored = ports.rows.load(shape).await?;
    let forgotten = ProcessChange {
        rows: stored.rows.iter().map(|(instance, _)| (instance.clone(), None)).collect(),
        parking: ParkingChange { released: stored.parked.clone(), ..ParkingChange::default() },
        checkpoint: Position::START,
    };
    let mut runtime = match ProcessRuntime::<P>::restore(stored) {
        Ok(runtime) => runtime,
        Err(error @ ProcessError::Row { .. }) => {
            tracing::warn!(process = P::NAME, %error, "its rows are made anew from the log");
            ports.rows.save(shape, forgotten).await?;
            ProcessRuntime::restore(ProcessRows::default())?
        }
        Err(error) => return Err(error.into()),
    };
    for skip in parked::skips_of(&*ports.store, P::NAME).await? {
        runtime.skip(skip);
    }
    Ok(runtime)
}

/// Folds the log into rows of a shape that has none, up to a position, without carrying anything out. What
/// can't be taken in stops it.
pub async fn prepare<P: Process>(
    store: &dyn EventStore,
    rows: &dyn ProcessStateStore,
    to: Position,
    progress: &mut (dyn FnMut(Position) + Send),
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
    async fn rows_that_cannot_be_read_are_made_anew_from_the_log() {
        let test = TestShop::open().await;
        let shop = &test.shop.shop;
        let (stream, id) = (Stock::stream(&Sku::parse("A1").unwrap()), shop.clock.new_id());
        let origin = Origin::new(id, Actor::new("test", "x"), CorrelationId::from(id));
        let count = CommandRequest::new(stream, StockCommand::Count { on_hand: 1 }, origin);
        let head = shop.stock.execute(count).await.unwrap().position;
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
        assert!(rows.is_empty(), "the row that can't be read is gone: {rows:?}");
    }
}
