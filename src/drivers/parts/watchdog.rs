//! Watchdog for followers that make no progress while the log grows.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use souk_eventsourcing::Position;
use tokio::sync::watch;
use tokio::time::Instant;

use super::{Condition, Part, Parts, stop_requested};

/// Interval of the checks.
const CHECK_EVERY: Duration = Duration::from_secs(1);
/// Time without progress after which a follower behind the end of the log counts as stalled.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// Checks all followers until `stop` becomes true.
pub async fn watch_progress(parts: Parts, head: watch::Receiver<Position>, mut stop: watch::Receiver<bool>) {
    let mut seen = HashMap::new();
    let mut ticks = tokio::time::interval(CHECK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            _ = ticks.tick() => check_progress(&parts, *head.borrow(), &mut seen, Instant::now()),
            () = stop_requested(&mut stop) => return,
        }
    }
}

/// Position of each follower, and the time at which it was first seen there.
pub(super) type LastProgress = HashMap<&'static str, (Position, Instant)>;

/// Marks followers that have made no progress for too long as stalled.
pub(super) fn check_progress(parts: &Parts, head: Position, seen: &mut LastProgress, now: Instant) {
    let followers: Vec<Arc<Part>> = parts.lock().iter().filter(|part| part.is_follower).cloned().collect();
    for part in followers {
        let position = part.position();
        let is_working = matches!(part.condition(), Condition::Working | Condition::Starting);
        if position >= head || seen.get(part.name).is_none_or(|(at, _)| *at != position) {
            seen.insert(part.name, (position, now));
            continue;
        }
        let since = seen[part.name].1;
        if is_working && now.duration_since(since) >= STALLED_AFTER {
            tracing::error!(part = part.name, %position, %head, "a follower makes no progress while the log grows");
            part.set(Condition::Stalled);
        }
    }
}
