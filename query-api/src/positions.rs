//! How far the read models are, and waiting for them.

use std::sync::Arc;
use std::time::Duration;

use souk_eventsourcing::{EventStore, Position};
use souk_web::Problem;
use souk_web::headers::ReadHeaders;
use tokio::sync::watch;

/// How long a read waits for its position unless asked otherwise.
const WAIT_DEFAULT: Duration = Duration::from_secs(2);

/// The position that all read models have reached, as it moves.
#[derive(Clone)]
pub struct ReadPositions {
    reached: watch::Receiver<Position>,
    log: Arc<dyn EventStore>,
    stopping: watch::Receiver<bool>,
}

impl ReadPositions {
    /// Positions that a driver tells.
    pub fn new(
        reached: watch::Receiver<Position>,
        log: Arc<dyn EventStore>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { reached, log, stopping }
    }

    /// How far the models are and where the log ends.
    pub async fn now(&self) -> (Position, Position) {
        let reached = *self.reached.borrow();
        (reached, self.log.head().await.unwrap_or(reached))
    }

    /// The position to answer with, once it is at least what the request asks for.
    pub async fn wait(&self, headers: &ReadHeaders) -> Result<Position, Problem> {
        let Some(wanted) = headers.min_position else { return Ok(*self.reached.borrow()) };
        let mut reached = self.reached.clone();
        let mut stopping = self.stopping.clone();
        tokio::select! {
            waited = tokio::time::timeout(headers.wait.unwrap_or(WAIT_DEFAULT), reached.wait_for(|at| *at >= wanted)) => {
                if let Ok(Ok(at)) = waited {
                    return Ok(*at);
                }
            }
            _ = stopping.wait_for(|stop| *stop) => {}
        }
        let at = *self.reached.borrow();
        let detail = format!("the read models are at position {at}, {wanted} was asked for");
        Err(Problem::new("read-model-behind", detail).retry_after(1))
    }
}
