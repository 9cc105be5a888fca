//! How much of the machine a rebuild takes beside a running shop.

use std::cell::Cell;
use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};
use souk_priority::lowest_for_process;

/// The most of its share that a rebuild makes up for after it had to wait for something else.
const ARREARS_MAX: Duration = Duration::from_millis(200);

/// Holds this process to a share of a core, and to what others leave of it.
pub struct Pace {
    /// Cores; none for as much as there is.
    share: Option<f64>,
    /// When the share for what was used by then was spent, and what that was.
    even: Cell<(Instant, Duration)>,
}

impl Pace {
    pub fn new(share: Option<f64>) -> Self {
        if share.is_some()
            && let Err(error) = lowest_for_process()
        {
            tracing::debug!(%error, "the rebuild keeps its priority");
        }
        Self { share, even: Cell::new((Instant::now(), cpu())) }
    }

    /// Waits as long as this process was quicker than its share.
    pub async fn keep(&self) {
        let Some(share) = self.share else { return tokio::task::yield_now().await };
        let (even_at, used_then) = self.even.get();
        let used = cpu();
        let due = even_at + used.saturating_sub(used_then).div_f64(share);
        let now = Instant::now();
        self.even.set((due.max(now.checked_sub(ARREARS_MAX).unwrap_or(now)), used));
        tokio::time::sleep(due.saturating_duration_since(now)).await;
    }
}

/// What this process has used of all cores.
fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
}
