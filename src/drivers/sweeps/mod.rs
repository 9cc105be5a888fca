//! Sweeps: bounded steps over a read model, repeated, each sweep a part of its own. What a step couldn't do,
//! the next one does.

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
use souk_command_api::Shop;
use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, CorrelationId, Position};
use souk_mail_folder::MailFolder;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::drivers::parts::{Condition, Part, Parts, supervise, until_told};
use crate::drivers::sealing::SealedAppends;
use crate::missing_keys::Completeness;

/// Steps of a sweep that may fail one after another, before it has failed and is started again.
const STEP_FAILURES_MAX: u32 = 3;
/// How often each sweep makes a step.
const STEP_EVERY: Duration = Duration::from_secs(5);
/// The longest time of one step.
const STEP_TIME_MAX: Duration = Duration::from_secs(120);
/// Rows dealt with in one step.
const STEP_ROWS_MAX: i64 = 500;

/// One kind of sweep.
#[async_trait]
trait Sweep: Send {
    /// For logs and as the actor of its commands.
    fn name(&self) -> &'static str;

    /// Returns true if an erasure makes the sweep step at once.
    fn is_woken_by_erasures(&self) -> bool {
        false
    }

    /// Held during each step, by sweeps of which only one may make a step at a time.
    fn alone(&self) -> Option<Arc<tokio::sync::Mutex<()>>> {
        None
    }

    /// Deals with up to [`STEP_ROWS_MAX`] rows; one that can't be dealt with is logged and left.
    async fn step(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error>;
}

/// Where the shop stands, for sweeps that must miss nothing.
#[derive(Clone)]
pub struct Standing {
    /// How far the read models are.
    pub reached: watch::Receiver<Position>,
    /// Whether they are built.
    pub built: watch::Receiver<bool>,
    /// Where the log ends.
    pub head: watch::Receiver<Position>,
    /// Where it ended when the shop was started.
    pub head_at_start: Position,
    /// What is on its way into the log.
    pub sealed_appends: SealedAppends,
    /// Held by the sweep that attaches orders to customers and by the one that finishes erasures, so that no
    /// order becomes a customer's while that customer's orders are told of the erasure.
    pub people: Arc<tokio::sync::Mutex<()>>,
    /// The keys of people, as they are held against the log.
    pub keys: Completeness,
}

/// The maker of a sweep, called each time it is started.
type Make = Box<dyn Fn() -> Box<dyn Sweep> + Send>;

/// Starts all sweeps, each a part of its own, until the shop stops.
pub fn start(
    read_models: &Path,
    shop: &Shop,
    standing: &Standing,
    mail: &MailFolder,
    parts: &Parts,
) -> Vec<JoinHandle<()>> {
    let run = |make: Make| {
        let (shop, read_models) = (shop.clone(), read_models.to_owned());
        let part = parts.sweep(make().name());
        let stop = shop.stopping.clone();
        let begun = Arc::clone(&part);
        let begin =
            move || tokio::spawn(repeat(make(), open(&read_models), shop.clone(), Arc::clone(&begun)));
        tokio::spawn(supervise(part, stop, begin))
    };
    all(standing, mail).into_iter().map(run).collect()
}

/// Makes of all sweeps.
fn all(standing: &Standing, mail: &MailFolder) -> [Make; 9] {
    let guests = standing.clone();
    let erasures = standing.clone();
    let complete = standing.clone();
    let mail = mail.clone();
    [
        Box::new(|| Box::new(reservations::Overdue)),
        Box::new(|| Box::new(claims::Open)),
        Box::new(|| Box::new(webhooks::Kept::default())),
        Box::new(move || Box::new(guests::Unattached::new(&guests))),
        Box::new(move || Box::new(erasures::Unsettled::new(&erasures))),
        Box::new(move || Box::new(credentials::Expired { mail: mail.clone(), next: Timestamp::UNIX_EPOCH })),
        Box::new(|| Box::new(keys::Rotated)),
        Box::new(|| Box::new(readdressed::Readdressed::default())),
        Box::new(move || Box::new(complete::Complete::new(&complete))),
    ]
}

/// Makes a step of a sweep every few seconds until the shop stops. A step that takes too long is dropped, and
/// ends the sweep: it is started again. A sweep works once it has made a step.
async fn repeat(
    mut sweep: Box<dyn Sweep>,
    pool: SqlitePool,
    shop: Shop,
    part: Arc<Part>,
) -> Result<(), String> {
    let mut stop = shop.stopping.clone();
    let mut ticks = tokio::time::interval(STEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    let mut failures = 0_u32;
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shop.erased.notified(), if sweep.is_woken_by_erasures() => {}
            () = until_told(&mut stop) => return Ok(()),
        }
        let step = async {
            let _alone = match sweep.alone() {
                Some(alone) => Some(alone.lock_owned().await),
                None => None,
            };
            tokio::time::timeout(STEP_TIME_MAX, sweep.step(&pool, &shop)).await
        };
        let step = tokio::select! {
            step = step => step,
            () = until_told(&mut stop) => return Ok(()),
        };
        match step {
            Ok(Ok(())) => {
                failures = 0;
                part.set(Condition::Working);
            }
            Ok(Err(error)) if failures + 1 == STEP_FAILURES_MAX => return Err(error.to_string()),
            Ok(Err(error)) => {
                failures += 1;
                tracing::warn!(sweep = sweep.name(), %error, "a sweep can't read; it tries again");
            }
            Err(_) => return Err(format!("a step took longer than {} s", STEP_TIME_MAX.as_secs())),
        }
    }
}

fn open(read_models: &Path) -> SqlitePool {
    let options = SqliteConnectOptions::new().filename(read_models).read_only(true);
    SqlitePoolOptions::new().max_connections(1).connect_lazy_with(options)
}

/// The origin of a command that a sweep sends by itself.
fn origin(shop: &Shop, sweep: &str) -> Origin {
    let id = shop.clock.new_id();
    Origin::new(id, Actor::new("process", sweep), CorrelationId::from(id))
}

#[cfg(test)]
mod erasure_tests;
#[cfg(test)]
mod tests;
