//! Sweeps: bounded steps over a read model, repeated. What a step couldn't do, the next one does.

mod claims;
mod credentials;
mod erasures;
mod guests;
mod keys;
mod reservations;
mod webhooks;

use std::path::{Path, PathBuf};
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

use crate::drivers::sealing::SealedAppends;

/// How often each sweep makes a step.
const STEP_EVERY: Duration = Duration::from_secs(5);
/// Rows dealt with in one step.
const STEP_ROWS_MAX: i64 = 500;

/// One kind of sweep.
#[async_trait]
trait Sweep: Send {
    /// For logs and as the actor of its commands.
    fn name(&self) -> &'static str;

    /// Deals with up to [`STEP_ROWS_MAX`] rows; one that can't be dealt with is logged and left.
    async fn step(&mut self, pool: &SqlitePool, shop: &Shop) -> Result<(), sqlx::Error>;
}

/// Where the shop stands, for sweeps that must miss nothing.
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
}

/// Runs all sweeps until the shop stops.
pub async fn run(read_models: PathBuf, shop: Shop, standing: Standing, mail: MailFolder) {
    let pool = open(&read_models);
    let Standing { reached, built, head, head_at_start, sealed_appends } = standing;
    let mut sweeps: [Box<dyn Sweep>; 7] = [
        Box::new(reservations::Overdue),
        Box::new(claims::Open),
        Box::new(webhooks::Kept::default()),
        Box::new(guests::Unattached {
            reached: reached.clone(),
            built: built.clone(),
            head: head.clone(),
            since: Timestamp::UNIX_EPOCH,
        }),
        Box::new(erasures::Unsettled {
            sealed_appends,
            reached,
            built,
            head,
            head_at_start,
            compared: Some(String::new()),
            told: Some(String::new()),
        }),
        Box::new(credentials::Expired { mail, next: Timestamp::UNIX_EPOCH }),
        Box::new(keys::Rotated),
    ];
    let mut stop = shop.stopping.clone();
    let mut ticks = tokio::time::interval(STEP_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => {}
            () = shop.erased.notified() => {}
            _ = stop.wait_for(|stop| *stop) => return,
        }
        for sweep in &mut sweeps {
            if let Err(error) = sweep.step(&pool, &shop).await {
                tracing::warn!(sweep = sweep.name(), %error, "a sweep can't read; it tries again");
            }
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
mod tests;
