//! How far the read models are, and waiting until they are far enough.
//!
//! A wait ends when the read models get there, when its time is over, when the shop stops, or when nobody
//! moves the read models on any more; all but the first are answered with 503 and the position reached.

use std::time::Duration;

use souk_eventsourcing::Position;
use souk_web::Problem;
use souk_web::headers::ReadHeaders;
use tokio::sync::watch;

/// How long a read waits for its position unless it says otherwise.
const WAIT_DEFAULT: Duration = Duration::from_secs(2);
/// After how many seconds a repeat may help.
const RETRY_AFTER_S: u32 = 1;

/// Headers by which a read asks for what it has written.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is documentation; the headers are read by souk-web")]
pub(crate) struct ReadYourWrites {
    /// A position that the answer must have reached: a write's `X-Position`.
    #[param(rename = "X-Min-Position", example = "42")]
    min_position: Option<String>,
    /// How many seconds to wait for it, as in `wait=10`: 2 unless said, 30 at most.
    #[param(rename = "Prefer", example = "wait=10")]
    prefer: Option<String>,
}

/// How far the read models and the log are.
#[derive(Clone)]
pub struct ReadPositions {
    reached: watch::Receiver<Position>,
    head: watch::Receiver<Position>,
    stopping: watch::Receiver<bool>,
}

impl ReadPositions {
    /// `reached` tells the position that all read models have reached, after each commit; its sender goes
    /// when the read models stop following. `head` tells the log's head, and `stopping` flips
    /// when the shop stops.
    pub fn new(
        reached: watch::Receiver<Position>,
        head: watch::Receiver<Position>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { reached, head, stopping }
    }

    /// The position that all read models have reached, and the log's head.
    pub fn now(&self) -> (Position, Position) {
        let reached = *self.reached.borrow();
        (reached, reached.max(*self.head.borrow()))
    }

    /// Whether somebody still moves the read models on.
    pub fn is_followed(&self) -> bool {
        self.reached.has_changed().is_ok()
    }

    /// A position that the read models have reached, waited for when the request names one.
    pub(crate) async fn wait_for(&self, headers: ReadHeaders) -> Result<Position, Problem> {
        let now = *self.reached.borrow();
        let Some(wanted) = headers.min_position.filter(|wanted| *wanted > now) else { return Ok(now) };
        let (mut reached, mut stopping) = (self.reached.clone(), self.stopping.clone());
        let is_there = tokio::select! {
            result = reached.wait_for(|reached| *reached >= wanted) => result.is_ok(),
            _ = stopping.wait_for(|stopping| *stopping) => false,
            () = tokio::time::sleep(headers.wait.unwrap_or(WAIT_DEFAULT)) => false,
        };
        let now = *self.reached.borrow();
        if is_there { Ok(now) } else { Err(behind(wanted, now)) }
    }
}

fn behind(wanted: Position, reached: Position) -> Problem {
    let detail = format!("the read models have reached position {reached}, {wanted} was asked for");
    Problem::new("read-model-behind", detail).retry_after(RETRY_AFTER_S).reached(reached)
}
