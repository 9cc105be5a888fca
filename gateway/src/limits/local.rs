//! Counts of this process.

use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};

use super::{Count, Counted};
use crate::table::Class;

/// Requests after which those who have not asked for long are forgotten.
const FORGET_EVERY: u32 = 10_000;

type Key = (Class, Counted);
type Limiter = RateLimiter<Key, DefaultKeyedStateStore<Key>, DefaultClock, StateInformationMiddleware>;

/// A counter for each quota there is.
pub struct LocalCounts {
    limiters: Vec<(NonZeroU32, Limiter)>,
    asked: AtomicU32,
}

impl LocalCounts {
    /// For these quotas a minute.
    pub fn new(quotas: &[NonZeroU32]) -> Self {
        let limiter = |quota: &NonZeroU32| {
            let limiter = RateLimiter::keyed(Quota::per_minute(*quota));
            (*quota, limiter.with_middleware::<StateInformationMiddleware>())
        };
        Self { limiters: quotas.iter().map(limiter).collect(), asked: AtomicU32::new(0) }
    }

    /// Counts a request against each; the first that is refused ends it.
    pub fn take(&self, class: Class, who: &[Counted], quota: NonZeroU32) -> Count {
        let mut remaining = quota.get();
        let Some((_, limiter)) = self.limiters.iter().find(|(of, _)| *of == quota) else {
            return Count::Passes { remaining };
        };
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            limiter.retain_recent();
        }
        for counted in who {
            match limiter.check_key(&(class, counted.clone())) {
                Ok(snapshot) => remaining = remaining.min(snapshot.remaining_burst_capacity()),
                Err(until) => {
                    return Count::Refused { wait: until.wait_time_from(DefaultClock::default().now()) };
                }
            }
        }
        Count::Passes { remaining }
    }
}
