//! CPU time that a rebuild may use while the shop runs.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use souk_priority::lower_process;

/// Longest time that a rebuild may make up for, by using more than its share, after it used less while it
/// waited for something else.
const UNUSED_TIME_MAX: Duration = Duration::from_millis(200);

/// Limits the CPU time of this process, and gives it the lowest priority.
pub struct Pace {
    /// Number of cores that the process may use. `None` for no limit.
    share: Option<f64>,
    /// Time at which the process had used exactly its share, and the CPU time it had used by then.
    last: Cell<(Instant, Duration)>,
}

impl Pace {
    pub fn new(share: Option<f64>) -> Self {
        if share.is_some()
            && let Err(error) = lower_process()
        {
            tracing::debug!(%error, "the rebuild keeps its priority");
        }
        Self { share, last: Cell::new((Instant::now(), cpu())) }
    }

    /// Waits until this process has used no more than its share.
    pub async fn wait(&self) {
        let Some(share) = self.share else { return tokio::task::yield_now().await };
        let (last_at, used_then) = self.last.get();
        let used = cpu();
        let due = last_at + used.saturating_sub(used_then).div_f64(share);
        let now = Instant::now();
        self.last.set((due.max(now.checked_sub(UNUSED_TIME_MAX).unwrap_or(now)), used));
        tokio::time::sleep(due.saturating_duration_since(now)).await;
    }
}

/// Returns the CPU time that this process has used on all cores.
fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
}
