//! The reach of a gateway: which of its upstreams answer.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Mutex;
use tokio::time::Instant;

use super::{Upstream, Upstreams};

/// The path that is asked for.
const PATH: &str = "/health/live";
/// The largest answer, in bytes.
const BYTES_MAX: usize = 1_024;
/// The time between two looks: whoever asks more often is told the same again, so that asking costs upstreams nothing.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// The upstreams of a gateway, and when they answered last.
pub struct Reach {
    upstreams: [Arc<Upstream>; 2],
    seen: Mutex<Option<Seen>>,
}

/// A look at the upstreams.
#[derive(Clone, Copy)]
struct Seen {
    at: Instant,
    are_answering: [bool; 2],
}

impl Reach {
    /// The reach to these upstreams.
    pub fn new(upstreams: &Upstreams) -> Self {
        let upstreams = [Arc::clone(&upstreams.commands), Arc::clone(&upstreams.queries)];
        Self { upstreams, seen: Mutex::default() }
    }

    /// Returns true for the upstream of writes and for that of reads, each, if it answers within the time of a
    /// connection. Those who ask meanwhile wait for the same look.
    pub async fn answering(&self) -> [bool; 2] {
        let mut seen = self.seen.lock().await;
        if let Some(seen) = seen.filter(|seen| seen.at.elapsed() < EVERY_MIN) {
            return seen.are_answering;
        }
        let [commands, queries] = &self.upstreams;
        let (commands, queries) =
            tokio::join!(commands.fetch(PATH, BYTES_MAX), queries.fetch(PATH, BYTES_MAX));
        let are_answering = [commands.is_ok(), queries.is_ok()];
        *seen = Some(Seen { at: Instant::now(), are_answering });
        are_answering
    }
}
