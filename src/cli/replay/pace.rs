//! How much of the machine a rebuild takes beside a running shop.

use std::time::{Duration, Instant};

use rustix::time::{ClockId, clock_gettime};

/// Holds this process to a share of a core.
pub struct Pace {
    /// Cores; none for as much as there is.
    share: Option<f64>,
    began: Instant,
    cpu_at_begin: Duration,
}

impl Pace {
    pub fn new(share: Option<f64>) -> Self {
        Self { share, began: Instant::now(), cpu_at_begin: cpu() }
    }

    /// Waits as long as this process was quicker than its share.
    pub async fn keep(&self) {
        let Some(share) = self.share else { return tokio::task::yield_now().await };
        let used = cpu().saturating_sub(self.cpu_at_begin);
        let due = used.div_f64(share);
        tokio::time::sleep(due.saturating_sub(self.began.elapsed())).await;
    }
}

/// What this process has used of all cores.
fn cpu() -> Duration {
    let used = clock_gettime(ClockId::ProcessCPUTime);
    Duration::new(u64::try_from(used.tv_sec).unwrap_or(0), u32::try_from(used.tv_nsec).unwrap_or(0))
}
