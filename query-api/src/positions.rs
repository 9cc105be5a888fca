//! Positions of the read models in the log, and reads that wait for a position.
//!
//! A wait ends when the read models reach the position, when the wait times out, or when the shop stops. In
//! the last two cases the response is 503 with the position that the read models have reached.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use souk_eventsourcing::Position;
use souk_http::Problem;
use souk_http::headers::ReadHeaders;
use tokio::sync::watch;

use crate::database::not_found;
use crate::parked_entities::ParkedEntities;

/// Wait for a position if the request has no `Prefer: wait`.
const WAIT_DEFAULT: Duration = Duration::from_secs(2);
/// Seconds after which the client may try again.
const RETRY_AFTER_S: u32 = 1;
/// Read models are unhealthy if they take no event for this time although the log has more events.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// Request headers of a read that must include an earlier write of the client.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is documentation; the headers are read by souk-http")]
pub(crate) struct ReadYourWrites {
    /// Log position that the data of the response must have reached: the `X-Position` of an earlier write.
    #[param(rename = "X-Min-Position", pattern = "^[0-9]{1,18}$", example = "42")]
    min_position: Option<String>,
    /// Seconds to wait for the position, for example `wait=10`. The default is 2, the maximum 30.
    #[param(rename = "Prefer", example = "wait=10")]
    prefer: Option<String>,
}

/// Progress of the read models, reported by the process that updates them.
#[derive(Clone)]
pub struct ReadModelProgress {
    /// Log position that all read models have reached; updated after each commit.
    pub reached: watch::Receiver<Position>,
    /// True while the read models are updated from the log.
    pub following: watch::Receiver<bool>,
    /// True if every read model is built.
    pub built: watch::Receiver<bool>,
    /// Parked entities of the read models.
    pub parked: watch::Receiver<Arc<ParkedEntities>>,
}

/// Positions of the read models and of the log.
#[derive(Clone)]
pub struct ReadPositions {
    progress: ReadModelProgress,
    head: watch::Receiver<Position>,
    stopping: watch::Receiver<bool>,
    lag: Arc<Mutex<Option<Lag>>>,
}

/// Position at which the read models were first seen to lag behind the log, and the time of that check.
struct Lag {
    at: Position,
    since: Instant,
}

/// Position of a read of one entity.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadAt {
    /// Log position that the data has reached.
    pub(crate) position: Position,
    /// First log position that the entity lacks, if it is parked.
    pub(crate) parked_since: Option<Position>,
}

impl ReadAt {
    /// Returns the problem if no row was found that the caller is allowed to see: usually 404. It is 503 if
    /// the entity is parked, because it may exist although its first event could not be applied.
    pub(crate) fn not_found(self, resource: &str) -> Problem {
        match self.parked_since {
            Some(since) => parked(since),
            None => not_found(resource),
        }
    }
}

impl ReadPositions {
    /// `head` holds the position of the log's last event. `stopping` becomes true when the shop stops.
    pub fn new(
        progress: ReadModelProgress,
        head: watch::Receiver<Position>,
        stopping: watch::Receiver<bool>,
    ) -> Self {
        Self { progress, head, stopping, lag: Arc::default() }
    }

    /// Returns the position that all read models have reached, and the position of the log's last event.
    pub fn now(&self) -> (Position, Position) {
        let reached = *self.progress.reached.borrow();
        (reached, reached.max(*self.head.borrow()))
    }

    /// Returns true while the read models are updated from the log.
    pub fn is_following(&self) -> bool {
        *self.progress.following.borrow()
    }

    /// Returns true if the read models have taken no event for ten seconds although the log has more events.
    pub fn is_stalled(&self) -> bool {
        let (reached, head) = self.now();
        let mut lag = self.lag.lock().unwrap_or_else(PoisonError::into_inner);
        if reached >= head {
            *lag = None;
        } else if lag.as_ref().is_none_or(|lag| lag.at != reached) {
            *lag = Some(Lag { at: reached, since: Instant::now() });
        }
        lag.as_ref().is_some_and(|lag| lag.since.elapsed() >= STALLED_AFTER)
    }

    /// Number of parked entities in these read models.
    pub fn parked_in(&self, models: &[&str]) -> usize {
        self.progress.parked.borrow().count(models)
    }

    /// Number of parked entities in these read models, as lists show it: none if it is 0.
    pub(crate) fn count_behind(&self, models: &[&str]) -> Option<usize> {
        Some(self.parked_in(models)).filter(|parked| *parked > 0)
    }

    /// Waits for the position that the request names, if any. Returns the position that the read models have
    /// reached. Returns a 503 problem if a read model is not built yet.
    pub(crate) async fn wait_for(&self, headers: ReadHeaders) -> Result<Position, Problem> {
        if !*self.progress.built.borrow() {
            let reached = *self.progress.reached.borrow();
            let detail = format!("a read model is being built and has reached position {reached}");
            return Err(Problem::new("read-model-behind", detail)
                .retry_after(RETRY_AFTER_S)
                .reached(reached));
        }
        self.wait_during_builds(headers).await
    }

    /// The same as [`Self::wait_for`], for data that can be shown while read models are still being built.
    pub(crate) async fn wait_during_builds(&self, headers: ReadHeaders) -> Result<Position, Problem> {
        let reached_now = *self.progress.reached.borrow();
        let Some(required) = headers.min_position.filter(|position| *position > reached_now) else {
            return Ok(reached_now);
        };
        let mut reached = self.progress.reached.clone();
        let mut stopping = self.stopping.clone();
        let is_reached = tokio::select! {
            result = reached.wait_for(|reached| *reached >= required) => result.is_ok(),
            _ = stopping.wait_for(|stopping| *stopping) => false,
            () = tokio::time::sleep(headers.wait.unwrap_or(WAIT_DEFAULT)) => false,
        };
        let reached_now = *self.progress.reached.borrow();
        if is_reached { Ok(reached_now) } else { Err(behind(required, reached_now)) }
    }

    /// Includes joined rows in the position of a read: if one of the rows with these keys is parked, the read
    /// lacks events too.
    pub(crate) fn include_joined<'a>(
        &self,
        at: ReadAt,
        models: &[&str],
        keys: impl Iterator<Item = &'a str>,
    ) -> ReadAt {
        let parked = self.progress.parked.borrow();
        if parked.is_empty() {
            return at;
        }
        let joined_since = keys.filter_map(|key| parked.since(models, key)).min();
        ReadAt { parked_since: at.parked_since.into_iter().chain(joined_since).min(), ..at }
    }

    /// The same as [`Self::wait_for`], for a read of one entity. Returns a 503 problem if the entity is
    /// parked in one of these read models and therefore can't reach the position that the request names.
    pub(crate) async fn wait_for_one(
        &self,
        headers: ReadHeaders,
        models: &[&str],
        key: &str,
    ) -> Result<ReadAt, Problem> {
        let required = headers.min_position;
        let position = self.wait_for(headers).await?;
        let parked_since = self.progress.parked.borrow().since(models, key);
        match parked_since {
            Some(since) if required.is_some_and(|required| required >= since) => Err(parked(since)),
            _ => Ok(ReadAt { position, parked_since }),
        }
    }
}

fn behind(required: Position, reached: Position) -> Problem {
    let detail =
        format!("the read models have reached position {reached}, but position {required} is required");
    Problem::new("read-model-behind", detail).retry_after(RETRY_AFTER_S).reached(reached)
}

fn parked(since: Position) -> Problem {
    let detail = format!(
        "this can't be shown as of position {since} or later: one of its events waits for an operator"
    );
    Problem::new("read-model-behind", detail).reached(Position(since.0.saturating_sub(1)))
}
