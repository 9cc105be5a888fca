//! The parts of a shop that work by themselves: followers of the log and sweeps.
//!
//! None ends silently. A part that fails or panics is started again after a growing wait, shown in health
//! and metrics meanwhile, and logged once for each reason. A follower that makes no progress while the log
//! grows is shown as stalled.

mod supervise;
mod watchdog;

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use souk_eventsourcing::Position;
use souk_eventsourcing::follower::Standing;
use tokio::sync::watch;

pub use supervise::{Begun, supervise};
pub use watchdog::watch_progress;

/// The condition of a part.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Condition {
    /// It has not begun, or reads what was in the log when it began.
    Starting,
    /// It works; a short outage of an engine does not change that.
    Working,
    /// It makes no progress while the log grows.
    Stalled,
    /// It has failed, and is started again or waits for its engine.
    Failing(String),
}

/// A part.
pub struct Part {
    name: &'static str,
    /// True for a follower of the log, without which the shop is not ready; false for a sweep.
    is_follower: bool,
    condition: Mutex<Condition>,
    /// The position that a follower has read to.
    position: AtomicU64,
}

impl Part {
    /// The name, as in logs and metrics.
    pub fn name(&self) -> &'static str {
        self.name
    }

    /// The condition now.
    pub fn condition(&self) -> Condition {
        self.lock().clone()
    }

    /// Says how it stands.
    pub fn set(&self, condition: Condition) {
        *self.lock() = condition;
    }

    /// Says how a follower stands, and where it has read to. `why` is the reason of a failure.
    pub fn set_standing(&self, standing: Standing, position: Position, why: &str) {
        let before = self.position.swap(position.0, Ordering::Relaxed);
        let mut condition = self.lock();
        let is_stalled = *condition == Condition::Stalled && before == position.0;
        match standing {
            Standing::Failing => *condition = Condition::Failing(why.to_owned()),
            _ if is_stalled => {}
            Standing::CatchingUp => *condition = Condition::Starting,
            Standing::Live | Standing::Interrupted => {
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

    /// A condition is whole at every moment, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, Condition> {
        self.condition.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// All parts of a shop.
#[derive(Clone, Default)]
pub struct Parts(Arc<Mutex<Vec<Arc<Part>>>>);

impl Parts {
    /// A new part that follows the log, without which the shop is not ready.
    pub fn follower(&self, name: &'static str) -> Arc<Part> {
        self.add(name, true)
    }

    /// A new part without which the shop still sells.
    pub fn sweep(&self, name: &'static str) -> Arc<Part> {
        self.add(name, false)
    }

    fn add(&self, name: &'static str, is_follower: bool) -> Arc<Part> {
        // Shown from the start, not only once the part has failed.
        metrics::counter!("souk_part_restarts_total", "part" => name).increment(0);
        let (condition, position) = (Mutex::new(Condition::Starting), AtomicU64::new(0));
        let part = Arc::new(Part { name, is_follower, condition, position });
        self.lock().push(Arc::clone(&part));
        part
    }

    /// Returns true if every follower works. The shop sells without its sweeps.
    pub fn are_ready(&self) -> bool {
        self.lock().iter().all(|part| !part.is_follower || part.is_up())
    }

    /// The parts that don't work, in words.
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

/// Returns once the shop is told to stop.
pub async fn until_told(stop: &mut watch::Receiver<bool>) {
    // The sender goes only with the shop.
    let _ = stop.wait_for(|stop| *stop).await;
}

#[cfg(test)]
mod restarts;
#[cfg(test)]
mod tests;
