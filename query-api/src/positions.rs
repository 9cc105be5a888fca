//! How far the read models are, and waiting until they are far enough.
//!
//! A wait ends when the read models get there, when its time is over, or when the shop stops; all but the
//! first are answered with 503 and the position reached.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use souk_eventsourcing::Position;
use souk_http::Problem;
use souk_http::headers::ReadHeaders;
use tokio::sync::watch;

use crate::behind::Behind;
use crate::database::not_found;

/// How long a read waits for its position unless it says otherwise.
const WAIT_DEFAULT: Duration = Duration::from_secs(2);
/// After how many seconds a repeat may help.
const RETRY_AFTER_S: u32 = 1;
/// After how long without a move, while the log has more, the read models are unhealthy.
const STALLED_AFTER: Duration = Duration::from_secs(10);

/// Headers by which a read asks for what it has written.
#[derive(Debug, utoipa::IntoParams)]
#[into_params(parameter_in = Header)]
#[expect(dead_code, reason = "it is documentation; the headers are read by souk-http")]
pub(crate) struct ReadYourWrites {
    /// A position that the answer must have reached: a write's `X-Position`.
    #[param(rename = "X-Min-Position", pattern = "^[0-9]{1,18}$", example = "42")]
    min_position: Option<String>,
    /// How many seconds to wait for it, as in `wait=10`: 2 unless said, 30 at most.
    #[param(rename = "Prefer", example = "wait=10")]
    prefer: Option<String>,
}

/// What those who follow the log tell of the read models.
#[derive(Clone)]
pub struct Followed {
    /// The position that all read models have reached, after each commit.
    pub reached: watch::Receiver<Position>,
    /// True while the read models follow the log.
    pub following: watch::Receiver<bool>,
    /// Whether every model has been built.
    pub built: watch::Receiver<bool>,
    /// The rows that stand behind.
    pub behind: watch::Receiver<Arc<Behind>>,
}

/// How far the read models and the log are.
#[derive(Clone)]
pub struct ReadPositions {
    followed: Followed,
    head: watch::Receiver<Position>,
    stopping: watch::Receiver<bool>,
    lag: Arc<Mutex<Option<Lag>>>,
}

/// Where the read models were first seen to lag, and when.
struct Lag {
    at: Position,
    since: Instant,
}

/// Where a read of one entity stands.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ReadAt {
    /// The position that the answer has reached.
    pub(crate) position: Position,
    /// The position from which on the entity lacks events.
    pub(crate) behind: Option<Position>,
}

impl ReadAt {
    /// What is answered when nothing was found, or nothing that the caller may see. An entity whose first
    /// event could not be taken is not known to be missing.
    pub(crate) fn not_found(self, what: &str) -> Problem {
        match self.behind {
            Some(since) => parked(since),
            None => not_found(what),
        }
    }
}

impl ReadPositions {
    /// `head` tells the log's head, and `stopping` flips when the shop stops.
    pub fn new(followed: Followed, head: watch::Receiver<Position>, stopping: watch::Receiver<bool>) -> Self {
        Self { followed, head, stopping, lag: Arc::default() }
    }

    /// The position that all read models have reached, and the log's head.
    pub fn now(&self) -> (Position, Position) {
        let reached = *self.followed.reached.borrow();
        (reached, reached.max(*self.head.borrow()))
    }

    /// True while the read models follow the log.
    pub fn is_followed(&self) -> bool {
        *self.followed.following.borrow()
    }

    /// Whether the read models stand still while the log has more for them.
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

    /// How many entities of these models are parked.
    pub fn parked_in(&self, models: &[&str]) -> usize {
        self.followed.behind.borrow().count(models)
    }

    /// The same for a list over them; none when nothing is.
    pub(crate) fn behind_in(&self, models: &[&str]) -> Option<usize> {
        Some(self.parked_in(models)).filter(|parked| *parked > 0)
    }

    /// A position that the read models have reached, waited for when the request names one.
    pub(crate) async fn wait_for(&self, headers: ReadHeaders) -> Result<Position, Problem> {
        if !*self.followed.built.borrow() {
            let now = *self.followed.reached.borrow();
            let detail = format!("a read model is being built, it has reached position {now}");
            return Err(Problem::new("read-model-behind", detail).retry_after(RETRY_AFTER_S).reached(now));
        }
        self.wait_until_followed(headers).await
    }

    /// The same for what is there while models are still being built.
    pub(crate) async fn wait_until_followed(&self, headers: ReadHeaders) -> Result<Position, Problem> {
        let now = *self.followed.reached.borrow();
        let Some(wanted) = headers.min_position.filter(|wanted| *wanted > now) else { return Ok(now) };
        let (mut reached, mut stopping) = (self.followed.reached.clone(), self.stopping.clone());
        let is_there = tokio::select! {
            result = reached.wait_for(|reached| *reached >= wanted) => result.is_ok(),
            _ = stopping.wait_for(|stopping| *stopping) => false,
            () = tokio::time::sleep(headers.wait.unwrap_or(WAIT_DEFAULT)) => false,
        };
        let now = *self.followed.reached.borrow();
        if is_there { Ok(now) } else { Err(behind(wanted, now)) }
    }

    /// A read of one entity, to which rows of other keys were joined.
    pub(crate) fn joined<'a>(
        &self,
        at: ReadAt,
        models: &[&str],
        keys: impl Iterator<Item = &'a str>,
    ) -> ReadAt {
        let behind = self.followed.behind.borrow();
        if behind.is_empty() {
            return at;
        }
        let joined = keys.filter_map(|key| behind.since(models, key)).min();
        ReadAt { behind: at.behind.into_iter().chain(joined).min(), ..at }
    }

    /// The same for a read of one entity, which may be parked in one of the models it is read from.
    pub(crate) async fn wait_for_one(
        &self,
        headers: ReadHeaders,
        models: &[&str],
        key: &str,
    ) -> Result<ReadAt, Problem> {
        let wanted = headers.min_position;
        let position = self.wait_for(headers).await?;
        let behind = self.followed.behind.borrow().since(models, key);
        match behind {
            Some(since) if wanted.is_some_and(|wanted| wanted >= since) => Err(parked(since)),
            _ => Ok(ReadAt { position, behind }),
        }
    }
}

fn behind(wanted: Position, reached: Position) -> Problem {
    let detail = format!("the read models have reached position {reached}, {wanted} was asked for");
    Problem::new("read-model-behind", detail).retry_after(RETRY_AFTER_S).reached(reached)
}

fn parked(since: Position) -> Problem {
    let detail =
        format!("this can't be shown as of position {since} or later: an event of it waits for an operator");
    Problem::new("read-model-behind", detail).reached(Position(since.0.saturating_sub(1)))
}
