//! Rate limits: the number of requests per minute, per client address and per account.
//!
//! Requests are counted in this process, or in counts that several gateways share. While the shared counts
//! are unavailable, each gateway counts its own requests.

mod local;
pub mod shared;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use souk_http::guard::counted_address;
use souk_http::identity::AddressSource;
use souk_http::routes::RateClass;
use souk_http::{Caller, Problem, Role};

use local::LocalCounts;
pub use shared::{SharedCounts, SharedCountsUnavailable};

/// Time window of every limit.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Requests of the class `auth` per window.
const AUTH: NonZeroU32 = NonZeroU32::new(60).expect("60 is not zero");
/// Requests of the class `read` per window.
const READ: NonZeroU32 = NonZeroU32::new(1_200).expect("1,200 is not zero");
/// Requests of the class `write` per window.
const WRITE: NonZeroU32 = NonZeroU32::new(300).expect("300 is not zero");

/// Key under which requests are counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum LimitKey {
    /// Client address.
    Address(IpAddr),
    /// Proxy that hides its clients. All its clients are counted together.
    HiddenByProxy(IpAddr),
    /// Subject of the access token, from any address.
    Subject(String),
}

/// Result of counting a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// The request is allowed.
    Passes {
        /// Number of further requests that are allowed now: the smallest number of all keys.
        remaining: u32,
    },
    /// The request is refused.
    Refused {
        /// Time until a request is allowed again.
        wait: Duration,
    },
}

/// Way in which requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CountingMode {
    /// Requests are not counted.
    Off,
    /// This process counts only its own requests, as configured.
    Local,
    /// This process counts together with other gateways.
    Shared,
    /// This process counts only its own requests, because the shared counts are unavailable.
    SharedUnavailable,
}

/// Rate limits of one process.
pub struct Limits {
    /// Counts of this process, and the shared counts if there are any. `None` if limits are switched off.
    counts: Option<(LocalCounts, Option<shared::Shared>)>,
}

/// State of a caller's limit, which the response reports.
#[derive(Clone, Copy, Debug)]
pub struct LimitState {
    class: RateClass,
    quota: u32,
    remaining: u32,
    /// Time until the full quota is available again. For a refused request, the time until one request is
    /// allowed.
    after: Duration,
}

impl Limits {
    /// Creates limits that allow every request.
    pub fn off() -> Self {
        Self { counts: None }
    }

    /// Creates the limits that the API documents, counted in this process.
    pub fn local() -> Self {
        Self { counts: Some((LocalCounts::new(&[AUTH, READ, WRITE]), None)) }
    }

    /// Creates the limits that the API documents, counted together with other gateways.
    pub fn shared(counts: Arc<dyn SharedCounts>) -> Self {
        let shared = Some(shared::Shared::new(counts));
        Self { counts: Some((LocalCounts::new(&[AUTH, READ, WRITE]), shared)) }
    }

    /// Returns the way in which requests are counted now.
    pub fn mode(&self) -> CountingMode {
        match &self.counts {
            None => CountingMode::Off,
            Some((_, None)) => CountingMode::Local,
            Some((_, Some(shared))) if shared.is_unavailable() => CountingMode::SharedUnavailable,
            Some(_) => CountingMode::Shared,
        }
    }

    /// Counts a request. Returns the state of the caller's limit, `None` if the request has no limit, or a
    /// problem if the limit is reached.
    ///
    /// Requests of the class `auth` are counted for every caller. Other requests are not counted for admins,
    /// other systems and programs on this machine.
    pub async fn check(
        &self,
        class: RateClass,
        caller: &Caller,
    ) -> Result<Option<LimitState>, (Problem, LimitState)> {
        let Some((local, shared)) = &self.counts else { return Ok(None) };
        let is_exempt = caller.is_admin() || caller.has(Role::Service) || caller.is_this_machine();
        if is_exempt && class != RateClass::Auth {
            return Ok(None);
        }
        let Some(quota) = quota(class) else { return Ok(None) };
        let address = match caller.address_source {
            AddressSource::HiddenByProxy(proxy) => Some(LimitKey::HiddenByProxy(counted_address(proxy))),
            AddressSource::Connection | AddressSource::Proxy => {
                caller.address.map(|address| LimitKey::Address(counted_address(address)))
            }
        };
        let subject = caller.subject.as_ref().map(|subject| LimitKey::Subject(subject.to_string()));
        let keys: Vec<LimitKey> = address.into_iter().chain(subject).collect();
        if keys.is_empty() {
            return Ok(None);
        }
        // This process also counts while the shared counts work. So a caller does not get a fresh quota when
        // they fail.
        let local_count = local.take(class, &keys, quota);
        let count = match shared {
            None => local_count,
            Some(shared) => shared.take(class, &keys, quota).await.unwrap_or_else(|| {
                metrics::counter!("souk_limits_fallen_back_total").increment(1);
                local_count
            }),
        };
        match count {
            Count::Passes { remaining } => {
                let after = WINDOW / quota.get() * quota.get().saturating_sub(remaining);
                Ok(Some(LimitState { class, quota: quota.get(), remaining, after }))
            }
            Count::Refused { wait } => {
                let detail = format!("{quota} requests of this kind per minute are allowed");
                let problem = Problem::new("rate-limited", detail).retry_after(whole_seconds(wait));
                Err((problem, LimitState { class, quota: quota.get(), remaining: 0, after: wait }))
            }
        }
    }
}

/// Returns a time in seconds, rounded up, and at least 1.
fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1)
}

fn quota(class: RateClass) -> Option<NonZeroU32> {
    match class {
        RateClass::Auth => Some(AUTH),
        RateClass::Read => Some(READ),
        RateClass::Write => Some(WRITE),
        RateClass::Unlimited => None,
    }
}

impl LimitState {
    /// Writes the state into the headers of draft-ietf-httpapi-ratelimit-headers.
    pub fn write(self, headers: &mut HeaderMap) {
        let Self { class, quota, remaining, after } = self;
        let class = class.as_str();
        let window = WINDOW.as_secs();
        let after = whole_seconds(after);
        for (name, value) in [
            ("ratelimit-policy", format!("\"{class}\";q={quota};w={window}")),
            ("ratelimit", format!("\"{class}\";r={remaining};t={after}")),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests;
