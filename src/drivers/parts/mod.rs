//! Background parts of a shop: followers of the log, and sweeps.
//!
//! No part ends silently. A part that fails or panics is started again after a growing wait. Meanwhile health
//! and metrics show the failure, and each reason is logged once. A follower that makes no progress while the
//! log grows is shown as stalled.

mod supervise;
mod watchdog;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use souk_eventsourcing::Position;
use souk_eventsourcing::follower::FollowerState;
use tokio::sync::watch;

pub use supervise::{PartTask, supervise};
pub use watchdog::watch_progress;

/// Condition of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// The part is not running yet, or still reads the events that were in the log at its start.
    Starting,
    /// The part works. A short outage of an engine does not change this.
    Working,
    /// The part makes no progress while the log grows.
    Stalled,
    /// The part has failed for this reason. It will be started again, or waits for its engine.
    Failing(String),
}

/// Background part of a shop.
pub struct Part {
    name: &'static str,
    /// True for a follower of the log. The shop is not ready without it. False for a sweep.
    is_follower: bool,
    condition: Mutex<Condition>,
    /// Position up to which a follower has read the log.
    position: AtomicU64,
}

impl Part {
    /// Name of the part in logs and metrics.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// Returns the current condition.
    pub fn condition(&self) -> Condition {
        self.lock().clone()
    }

    /// Sets the condition.
    pub fn set(&self, condition: Condition) {
        *self.lock() = condition;
    }

    /// Sets the condition and the position of a follower. `why` is the reason of a failure.
    pub fn set_follower_state(&self, state: FollowerState, position: Position, why: &str) {
        let before = self.position.swap(position.0, Ordering::Relaxed);
        let mut condition = self.lock();
        let is_stalled = *condition == Condition::Stalled && before == position.0;
        match state {
            FollowerState::Failing => *condition = Condition::Failing(why.to_owned()),
            _ if is_stalled => {}
            FollowerState::CatchingUp => *condition = Condition::Starting,
            FollowerState::Live | FollowerState::Interrupted => {
                if matches!(*condition, Condition::Failing(_)) {
                    tracing::info!(part = self.name, "a part of the shop works again");
                }
                *condition = Condition::Working;
            }
        }
    }

    fn position(&self) -> Position {
        Position(self.position.load(Ordering::Relaxed))
    }

    /// Returns true if the part works.
    pub fn is_up(&self) -> bool {
        *self.lock() == Condition::Working
    }

    /// Locks the condition. The lock may be poisoned: a condition is valid at every moment.
    fn lock(&self) -> MutexGuard<'_, Condition> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// List of all parts of a shop.
#[derive(Clone, Default)]
pub struct Parts(Arc<Mutex<Vec<Arc<Part>>>>);

impl Parts {
    /// Adds a part that follows the log. The shop is not ready without it.
    pub fn follower(&self, name: &'static str) -> Arc<Part> {
        self.add(name, true)
    }

    /// Adds a part that is not needed for readiness.
    pub fn sweep(&self, name: &'static str) -> Arc<Part> {
        self.add(name, false)
    }

    fn add(&self, name: &'static str, is_follower: bool) -> Arc<Part> {
        // The metric exists from the start, not only after the first failure.
        metrics::counter!("souk_part_restarts_total", "part" => name).increment(0);
        let condition = Mutex::new(Condition::Starting);
        let position = AtomicU64::new(0);
        let part = Arc::new(Part { name, is_follower, condition, position });
        self.lock().push(Arc::clone(&part));
        part
    }

    /// Returns true if every follower works. Sweeps do not matter for readiness.
    pub fn are_ready(&self) -> bool {
        self.lock().iter().all(|part| !part.is_follower || part.is_up())
    }

    /// Returns one remark for each part that does not work.
    pub fn remarks(&self) -> Vec<String> {
        let parts = self.lock();
        let remark = |part: &Arc<Part>| match part.condition() {
            Condition::Working => None,
            Condition::Starting if !part.is_follower => None,
            Condition::Starting => Some(format!("{} is catching up", part.name)),
            Condition::Stalled => {
                Some(format!("{} makes no progress from position {}", part.name, part.position()))
            }
            Condition::Failing(why) => Some(format!("{} has failed: {why}", part.name)),
        };
        parts.iter().filter_map(remark).collect()
    }

    /// Sets the gauges of all parts, for a log that ends at `head`.
    pub fn measure(&self, head: Position) {
        for part in self.lock().iter() {
            metrics::gauge!("souk_part_up", "part" => part.name).set(f64::from(part.is_up()));
            if part.is_follower {
                let is_stalled = part.condition() == Condition::Stalled;
                metrics::gauge!("souk_follower_stalled", "follower" => part.name).set(f64::from(is_stalled));
                let lag = head.0.saturating_sub(part.position().0);
                #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; a lag is small")]
                metrics::gauge!("souk_follower_lag_events", "follower" => part.name).set(lag as f64);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, Vec<Arc<Part>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Returns when the shop must stop.
pub async fn stop_requested(stop: &mut watch::Receiver<bool>) {
    // An error means that the shop, which has the sender, is gone.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod restarts;
#[cfg(test)]
mod tests;
