//! Supervisor of a part. It restarts the part if the part ends before the shop stops.

use std::sync::Arc;
use std::time::Duration;

use souk_eventsourcing::retry::wait_after;
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio::time::Instant;

use super::{Condition, Part, stop_requested};

/// Time after which a working part counts as steady. Then earlier failures no longer make the next wait
/// longer, and the same failure is logged again.
const STEADY_AFTER: Duration = Duration::from_secs(60);

/// Task of a started part. It ends when the shop stops, or with the reason of its failure.
pub type PartTask = JoinHandle<Result<(), String>>;

/// Starts a part, and starts it again after a growing wait if it ends, until `stop` becomes true.
pub async fn supervise(
    part: Arc<Part>,
    mut stop: watch::Receiver<bool>,
    mut begin: impl FnMut() -> PartTask,
) {
    let mut failures = 0_u32;
    let mut logged = String::new();
    while !*stop.borrow() {
        let began = Instant::now();
        let ended = begin().await;
        if *stop.borrow() {
            return;
        }
        let why = match ended {
            Ok(Ok(())) => "it ended without an error".to_owned(),
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
                "a part of the shop has failed; it will be started again"
            );
            logged.clone_from(&why);
        }
        part.set(Condition::Failing(why));
        tokio::select! {
            () = tokio::time::sleep(wait) => {}
            () = stop_requested(&mut stop) => return,
        }
    }
}
