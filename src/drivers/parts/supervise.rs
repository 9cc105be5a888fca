//! Starts a part, and starts it again when it ends before it is told to.

use std::sync::Arc;
use std::time::Duration;

use souk_eventsourcing::retry::wait_after;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Condition, Part, until_told};

/// The time after its start when a part that works is steady: an earlier failure no longer makes its next wait longer,
/// and the same failure is worth a line in the log again.
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// A part that was started: a task that ends when it is told to stop, or with the reason why it failed.
pub type Begun = JoinHandle<Result<(), String>>;

/// Starts a part until `stop` flips. A part that ends earlier is started again after a growing wait.
pub async fn supervise(part: Arc<Part>, mut stop: watch::Receiver<bool>, mut begin: impl FnMut() -> Begun) {
    let (mut failures, mut logged) = (0_u32, String::new());
    while !*stop.borrow() {
        let began = Instant::now();
        let ended = begin().await;
        if *stop.borrow() {
            return;
        }
        let why = match ended {
            Ok(Ok(())) => "it ended by itself".to_owned(),
            Ok(Err(why)) => why,
            Err(error) if error.is_panic() => "it panicked".to_owned(),
            Err(error) => error.to_string(),
        };
        let was_steady = part.is_up() && began.elapsed() > STEADY_AFTER;
        if was_steady {
            logged.clear();
        }
        failures = if was_steady { 1 } else { failures.saturating_add(1) };
        let wait = wait_after(failures, part.name().as_bytes());
        metrics::counter!("souk_part_restarts_total", "part" => part.name()).increment(1);
        if why != logged {
            let wait_ms = wait.as_millis();
            tracing::error!(
                part = part.name(),
                why,
                wait_ms,
                "a part of the shop has failed; it is started again"
            );
            logged.clone_from(&why);
        }
        part.set(Condition::Failing(why));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = until_told(&mut stop) => return,
        }
    }
}
