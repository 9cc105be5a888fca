//! Rate limits that several gateways count together.
//!
//! If the shared counts do not respond in time, they get no request for the next second. In this time, each
//! gateway counts its own requests.

use std::num::NonZeroU32;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use souk_http::routes::RateClass;

use super::{Count, LimitKey, WINDOW};

/// Longest time that a request waits for the shared count. It is long enough for a short overload of
/// the shared counts, because a process that counts alone allows as many requests as the limit allows to all
/// processes together.
const WAIT_MAX: Duration = Duration::from_millis(250);
/// Time after a failure in which the shared counts get no request.
pub(super) const PAUSE: Duration = Duration::from_secs(1);

/// Error: the shared counts are unavailable.
#[derive(Clone, Debug, thiserror::Error)]
#[error("the shared counts are unavailable: {0}")]
pub struct SharedCountsUnavailable(pub String);

/// Port to counts that several processes share.
#[async_trait]
pub trait SharedCounts: Send + Sync + 'static {
    /// Counts one request under every key, or under none if the quota of one key is used up. The operation is
    /// atomic.
    async fn take(
        &self,
        keys: &[String],
        quota: NonZeroU32,
        window: Duration,
    ) -> Result<Count, SharedCountsUnavailable>;
}

/// Shared counts, and the time until which they get no request after a failure.
pub struct Shared {
    counts: Arc<dyn SharedCounts>,
    /// End of the pause after the last failure. `None` after a success.
    paused_until: Mutex<Option<Instant>>,
}

impl Shared {
    /// Creates shared counts that are assumed to be available.
    pub fn new(counts: Arc<dyn SharedCounts>) -> Self {
        Self { counts, paused_until: Mutex::new(None) }
    }

    /// Returns true if the last request to the shared counts failed.
    pub fn is_unavailable(&self) -> bool {
        self.paused_until().is_some()
    }

    fn paused_until(&self) -> Option<Instant> {
        *self.paused_until.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a request under each key. Returns `None` if the shared counts are unavailable.
    pub async fn take(&self, class: RateClass, keys: &[LimitKey], quota: NonZeroU32) -> Option<Count> {
        let paused_until = self.paused_until();
        if paused_until.is_some_and(|until| Instant::now() < until) {
            return None;
        }
        let names: Vec<String> = keys.iter().map(|key| shared_key(class, key)).collect();
        let result = tokio::time::timeout(WAIT_MAX, self.counts.take(&names, quota, WINDOW)).await;
        let result =
            result.unwrap_or_else(|_| Err(SharedCountsUnavailable("no response in time".to_owned())));
        let mut paused_until = self.paused_until.lock().unwrap_or_else(PoisonError::into_inner);
        match result {
            Ok(count) => {
                if paused_until.take().is_some() {
                    tracing::info!("requests are counted together with other gateways again");
                }
                Some(count)
            }
            Err(error) => {
                if paused_until.replace(Instant::now() + PAUSE).is_none() {
                    tracing::warn!(%error, "this process counts only its own requests for rate limits");
                }
                None
            }
        }
    }
}

/// Returns the name of a key in the shared counts.
fn shared_key(class: RateClass, key: &LimitKey) -> String {
    let class = class.as_str();
    match key {
        LimitKey::Address(address) => format!("souk:limit:{class}:address:{address}"),
        LimitKey::HiddenByProxy(proxy) => format!("souk:limit:{class}:behind:{proxy}"),
        LimitKey::Subject(subject) => format!("souk:limit:{class}:subject:{subject}"),
    }
}
