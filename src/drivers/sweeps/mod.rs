//! Sweeps: background parts that repeat a bounded step, mostly over the rows of a read model. If a step can't
//! handle a row, a later step tries again. This folder holds their loop, their timing and their SQL. The
//! rules of the shop that sweeps follow are in `souk_process_managers::sweeps`.

mod claims;
mod complete;
mod credentials;
mod erasures;
mod guests;
mod keys;
mod readdressed;
mod reservations;
mod webhooks;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use jiff::Timestamp;
use souk_eventsourcing::Position;
use souk_http::Keys;
use souk_mail_folder::MailFolder;
use souk_process_managers::ShopPorts;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;

use crate::drivers::parts::{Condition, Part, Parts, stop_requested, supervise};
use crate::drivers::sealing::SealedAppends;
use crate::missing_keys::Completeness;

/// Number of consecutive failed steps after which a sweep fails and is started again.
const STEP_FAILURES_MAX: u32 = 3;
/// Interval between two steps of a sweep.
const STEP_EVERY: Duration = Duration::from_secs(5);
/// Timeout of one step.
const STEP_TIME_MAX: Duration = Duration::from_secs(120);
/// Maximum number of rows that one step handles.
const STEP_ROWS_MAX: i64 = 500;

/// Kind of sweep.
#[async_trait]
trait Sweep: Send {
    /// Name of the sweep in logs, and the actor of its commands.
    fn name(&self) -> &'static str;

    /// Returns true if an erasure must start a step at once.
    fn is_woken_by_erasures(&self) -> bool {
        false
    }

    /// Returns the lock that is held during each step, for sweeps that must not run a step at the same time.
    fn exclusive_lock(&self) -> Option<Arc<tokio::sync::Mutex<()>>> {
        None
    }

    /// Handles up to [`STEP_ROWS_MAX`] rows. A row that can't be handled is logged and left for a later step.
    async fn step(&mut self, pool: &SqlitePool, ports: &ShopPorts) -> Result<(), sqlx::Error>;
}

/// State of the shop that sweeps need.
#[derive(Clone)]
pub struct SweepContext {
    /// Position that the read models have reached.
    pub reached: watch::Receiver<Position>,
    /// True if the read models are built.
    pub built: watch::Receiver<bool>,
    /// Current end of the log.
    pub head: watch::Receiver<Position>,
    /// End of the log when the shop was started.
    pub head_at_start: Position,
    /// Running appends with personal data.
    pub sealed_appends: SealedAppends,
    /// Lock for the sweeps that attach orders to customers and that finish erasures. It prevents that an
    /// order is attached to a customer while the orders of this customer are being erased.
    pub people_lock: Arc<tokio::sync::Mutex<()>>,
    /// Record of the completeness of the keys of people.
    pub keys: Completeness,
    /// Keys of tokens, cookies and keyed hashes.
    pub shop_keys: Arc<Keys>,
    /// Time that an order waits for its payment.
    pub payment_timeout: Duration,
    /// Wakes the sweep that finishes erasures.
    pub erased: Arc<Notify>,
    /// Becomes true when the shop stops.
    pub stopping: watch::Receiver<bool>,
}

/// Constructor of a sweep. It is called at each start of the part.
type NewSweep = Box<dyn Fn() -> Box<dyn Sweep> + Send>;

/// Starts all sweeps, each as a separate part, until the shop stops.
pub fn start(
    read_models: &Path,
    ports: &ShopPorts,
    context: &SweepContext,
    mail: &MailFolder,
    parts: &Parts,
) -> Vec<JoinHandle<()>> {
    let run = |new_sweep: NewSweep| {
        let ports = ports.clone();
        let read_models = read_models.to_owned();
        let part = parts.sweep(new_sweep().name());
        let context = context.clone();
        let stop = context.stopping.clone();
        let begun = Arc::clone(&part);
        let begin = move || {
            let pool = open(&read_models);
            tokio::spawn(repeat(new_sweep(), pool, ports.clone(), context.clone(), Arc::clone(&begun)))
        };
        tokio::spawn(supervise(part, stop, begin))
    };
    all(context, mail).into_iter().map(run).collect()
}

/// Returns the constructors of all sweeps.
fn all(context: &SweepContext, mail: &MailFolder) -> [NewSweep; 9] {
    let of = |new: fn(&SweepContext, &MailFolder) -> Box<dyn Sweep>| -> NewSweep {
        let context = context.clone();
        let mail = mail.clone();
        Box::new(move || new(&context, &mail))
    };
    [
        of(|_, _| Box::new(reservations::OverdueReservations)),
        of(|_, _| Box::new(claims::OpenClaims)),
        of(|_, _| Box::new(webhooks::KeptWebhooks::default())),
        of(|context, _| Box::new(guests::UnattachedOrders::new(context))),
        of(|context, _| Box::new(erasures::UnfinishedErasures::new(context))),
        of(|_, mail| {
            Box::new(credentials::ExpiredCredentials { mail: mail.clone(), next: Timestamp::UNIX_EPOCH })
        }),
        of(|context, _| Box::new(keys::RotatedKeys(Arc::clone(&context.shop_keys)))),
        of(|context, _| Box::new(readdressed::ReaddressedOrders::new(context))),
        of(|context, _| Box::new(complete::CompleteKeys::new(context))),
    ]
}

/// Runs a step of a sweep every few seconds until the shop stops. A step that takes too long is cancelled and
/// ends the sweep; the supervisor starts it again. The part counts as working after its first step.
async fn repeat(
    mut sweep: Box<dyn Sweep>,
    pool: SqlitePool,
    ports: ShopPorts,
    context: SweepContext,
    part: Arc<Part>,
) -> Result<(), String> {
    let mut stop = context.stopping.clone();
    let mut ticks = tokio::time::interval(STEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failures = 0_u32;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = context.erased.notified(), if sweep.is_woken_by_erasures() => {}
            () = stop_requested(&mut stop) => return Ok(()),
        }
        let step = async {
            let _guard = match sweep.exclusive_lock() {
                Some(lock) => Some(lock.lock_owned().await),
                None => None,
            };
            tokio::time::timeout(STEP_TIME_MAX, sweep.step(&pool, &ports)).await
        };
        let step = tokio::select! {
            step = step => step,
            () = stop_requested(&mut stop) => return Ok(()),
        };
        match step {
            Ok(Ok(())) => {
                failures = 0;
                part.set(Condition::Working);
            }
            Ok(Err(error)) if failures + 1 == STEP_FAILURES_MAX => return Err(error.to_string()),
            Ok(Err(error)) => {
                failures += 1;
                tracing::warn!(sweep = sweep.name(), %error, "a sweep can't read its rows; the next step tries again");
            }
            Err(_) => return Err(format!("a step took longer than {} s", STEP_TIME_MAX.as_secs())),
        }
    }
}

fn open(read_models: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(read_models).read_only(true);
    SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options)
}

#[cfg(test)]
mod erasure_tests;
#[cfg(test)]
mod tests;
