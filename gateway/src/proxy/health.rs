//! Health of a gateway's upstreams: whether each of them responds.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Upstream, Upstreams};

/// Path of the health check.
const PATH: &str = "/health/live";
/// Maximum size of a response, in bytes.
const BYTES_MAX: usize = 1_024;
/// Shortest time between two checks. In between, callers get the last result, so that they cause no load
/// upstream.
const CHECK_PAUSE_MIN: Duration = Duration::from_secs(1);

/// Health checks of a gateway's upstreams.
pub struct UpstreamHealth {
    upstreams: [Arc<Upstream>; 2],
    last: Mutex<Option<HealthCheck>>,
}

/// Result of a check.
#[derive(Clone, Copy)]
struct HealthCheck {
    at: Instant,
    are_responding: [bool; 2],
}

impl UpstreamHealth {
    /// Creates the health checks of these upstreams.
    pub fn new(upstreams: &Upstreams) -> Self {
        let upstreams = [Arc::clone(&upstreams.commands), Arc::clone(&upstreams.queries)];
        Self { upstreams, last: Mutex::default() }
    }

    /// Checks both upstreams. The first value is true if the upstream for commands responds within the
    /// connect timeout, the second if the upstream for queries does. Concurrent callers share one check.
    pub async fn check(&self) -> [bool; 2] {
        let mut last = self.last.lock().await;
        if let Some(last) = last.filter(|last| last.at.elapsed() < CHECK_PAUSE_MIN) {
            return last.are_responding;
        }
        let [commands, queries] = &self.upstreams;
        let (commands, queries) =
            tokio::join!(commands.fetch(PATH, BYTES_MAX), queries.fetch(PATH, BYTES_MAX));
        let are_responding = [commands.is_ok(), queries.is_ok()];
        *last = Some(HealthCheck { at: Instant::now(), are_responding });
        are_responding
    }
}
