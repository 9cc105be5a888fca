//! Counts that several gateways have in common.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;

use super::{Count, Counted, WINDOW};
use crate::table::Class;

/// How long a request waits for the count; then this process counts. Long enough for a busy moment, since
/// each process that counts alone lets as many pass as all together should.
const WAIT_MAX: Duration = Duration::from_millis(250);
/// How long nobody asks again after that.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// What is shared can't be had now.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the shared counts can't be had: {0}")]
pub struct SharedCountsUnavailable(pub String);

/// Counts requests together with other processes.
#[async_trait]
pub trait SharedCounts: Send + Sync + 'static {
    /// Counts one request against each key, or against none when one of them refuses; in one step that
    /// nobody else's comes between.
    async fn take(
        &self,
        keys: &[String],
        quota: NonZeroU32,
        window: Duration,
    ) -> Result<Count, SharedCountsUnavailable>;
}

/// Shared counts, and whether they can be had.
pub struct Shared {
    counts: Arc<dyn SharedCounts>,
    /// Until when nobody asks.
    away_until: Mutex<Option<Instant>>,
}

impl Shared {
    /// Believed to be there.
    pub fn new(counts: Arc<dyn SharedCounts>) -> Self {
        Self { counts, away_until: Mutex::new(None) }
    }

    /// Whether they could not be had when they were asked last.
    pub fn is_away(&self) -> bool {
        self.away_until().is_some()
    }

    fn away_until(&self) -> Option<Instant> {
        *self.away_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request; none when that can't be done in time.
    pub async fn take(&self, class: Class, who: &[Counted], quota: NonZeroU32) -> Option<Count> {
        let away_until = self.away_until();
        if away_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let keys: Vec<String> = who.iter().map(|counted| key(class, counted)).collect();
        let counted = tokio::time::timeout(WAIT_MAX, self.counts.take(&keys, quota, WINDOW)).await;
        let counted =
            counted.unwrap_or_else(|_| Err(SharedCountsUnavailable("no answer in time".to_owned())));
        let mut is_away = self.away_until.lock().unwrap_or_else(PoisonError::into_inner);
        match counted {
            Ok(count) => {
                if is_away.take().is_some() {
                    tracing::info!("limits are counted together again");
                }
                Some(count)
            }
            Err(error) => {
                if is_away.replace(Instant::now() + PAUSE).is_none() {
                    tracing::warn!(%error, "limits are counted by this process alone");
                }
                None
            }
        }
    }
}

/// Under which name somebody is counted.
fn key(class: Class, counted: &Counted) -> String {
    let class = class.as_str();
    match counted {
        Counted::Address(address) => format!("souk:limit:{class}:address:{address}"),
        Counted::Behind(proxy) => format!("souk:limit:{class}:behind:{proxy}"),
        Counted::Subject(subject) => format!("souk:limit:{class}:subject:{subject}"),
    }
}
