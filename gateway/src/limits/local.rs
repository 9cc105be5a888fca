//! Rate limits that this process counts in its own memory.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use souk_http::routes::RateClass;

use super::{Count, LimitKey};

/// Number of requests between two cleanups. A cleanup drops the counts of callers that have no recent
/// requests.
const CLEANUP_EVERY: u32 = 10_000;

type Key = (RateClass, LimitKey);
type Limiter = RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// Request counters of this process, one for each quota.
pub struct LocalCounts {
    limiters: Vec<(NonZeroU32, Limiter)>,
    requests: AtomicU32,
}

impl LocalCounts {
    /// Creates counters for these quotas, in requests per minute.
    pub fn new(quotas: &[NonZeroU32]) -> Self {
        let limiter = |quota: &NonZeroU32| {
            let limiter = RateLimiter::keyed(Quota::per_minute(*quota));
            (*quota, limiter.with_middleware::<StateInformationMiddleware>())
        };
        Self { limiters: quotas.iter().map(limiter).collect(), requests: AtomicU32::new(0) }
    }

    /// Counts a request under each key. If the quota of a key is used up, refuses the request and does not
    /// count it under the remaining keys.
    pub fn take(&self, class: RateClass, keys: &[LimitKey], quota: NonZeroU32) -> Count {
        let mut remaining = quota.get();
        let Some((_, limiter)) = self.limiters.iter().find(|(limit, _)| *limit == quota) else {
            return Count::Passes { remaining };
        };
        if self.requests.fetch_add(1, Ordering::Relaxed) % CLEANUP_EVERY == CLEANUP_EVERY - 1 {
            limiter.retain_recent();
        }
        for key in keys {
            match limiter.check_key(&(class, key.clone())) {
                Ok(snapshot) => remaining = remaining.min(snapshot.remaining_burst_capacity()),
                Err(until) => {
                    return Count::Refused { wait: until.wait_time_from(DefaultClock::default().now()) };
                }
            }
        }
        Count::Passes { remaining }
    }
}
