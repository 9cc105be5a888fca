//! How often somebody may ask: by client address, and by who they are.
//!
//! Counted in this process, or together with other gateways where they share counts; while those can't be
//! had, each counts for itself.

mod local;
pub mod shared;

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use axum::http::{HeaderMap, HeaderValue};
use souk_http::guard::counted;
use souk_http::identity::AddressSource;
use souk_http::{Caller, Problem, Role};

use crate::table::Class;
use local::LocalCounts;
pub use shared::{SharedCounts, SharedCountsUnavailable};

/// The window of every limit.
pub const WINDOW: Duration = Duration::from_secs(60);

/// Requests a window of each class, at once or spread.
const AUTH: NonZeroU32 = NonZeroU32::new(60).expect("it is more than none");
const READ: NonZeroU32 = NonZeroU32::new(1_200).expect("it is more than none");
const WRITE: NonZeroU32 = NonZeroU32::new(300).expect("it is more than none");

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Counted {
    /// Whoever asks from there.
    Address(IpAddr),
    /// Clients behind a proxy that can't be told from each other: together.
    Behind(IpAddr),
    /// Somebody, wherever they are.
    Subject(String),
}

/// What counting a request came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Count {
    /// It may pass, and so may that many more at once.
    Passes {
        /// The smallest of what is left to each who was counted.
        remaining: u32,
    },
    /// It may not, before that long.
    Refused {
        /// How long until one passes.
        wait: Duration,
    },
}

/// Where requests are counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// Nowhere.
    Off,
    /// In this process, as configured.
    Local,
    /// Together with others.
    Shared,
    /// In this process, since what is shared can't be had.
    FallenBack,
}

/// The limits of one process.
pub struct Limits {
    /// None when they are switched off.
    counts: Option<(LocalCounts, Option<shared::Shared>)>,
}

/// What is told of a limit with an answer.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    class: Class,
    quota: u32,
    remaining: u32,
    /// Until when all of the quota is there again, or one more when there is none.
    after: Duration,
}

impl Limits {
    /// None at all.
    pub fn off() -> Self {
        Self { counts: None }
    }

    /// Those of the API's contract, in this process.
    pub fn local() -> Self {
        Self { counts: Some((LocalCounts::new(&[AUTH, READ, WRITE]), None)) }
    }

    /// The same, counted together with others.
    pub fn shared(counts: Arc<dyn SharedCounts>) -> Self {
        let shared = Some(shared::Shared::new(counts));
        Self { counts: Some((LocalCounts::new(&[AUTH, READ, WRITE]), shared)) }
    }

    /// Where requests are counted now.
    pub fn standing(&self) -> Standing {
        match &self.counts {
            None => Standing::Off,
            Some((_, None)) => Standing::Local,
            Some((_, Some(shared))) if shared.is_away() => Standing::FallenBack,
            Some(_) => Standing::Shared,
        }
    }

    /// Counts a request, or refuses it. Signing in is counted by address whoever asks; nothing else is for
    /// the shop's own: admins, other systems, and this machine.
    pub async fn check(&self, class: Class, caller: &Caller) -> Result<Option<Told>, (Problem, Told)> {
        let Some((local, shared)) = &self.counts else { return Ok(None) };
        let is_ours = caller.is_admin() || caller.has(Role::Service) || caller.is_this_machine();
        if is_ours && class != Class::Auth {
            return Ok(None);
        }
        let Some(quota) = quota(class) else { return Ok(None) };
        let address = match caller.address_source {
            AddressSource::Behind(proxy) => Some(Counted::Behind(counted(proxy))),
            AddressSource::Connection | AddressSource::Proxy => {
                caller.address.map(|address| Counted::Address(counted(address)))
            }
        };
        let subject = caller.subject.as_ref().map(|subject| Counted::Subject(subject.to_string()));
        let who: Vec<Counted> = address.into_iter().chain(subject).collect();
        if who.is_empty() {
            return Ok(None);
        }
        // Counted here in any case: what is shared may go away at any moment, and nobody is to begin anew then.
        let counted_here = local.take(class, &who, quota);
        let count = match shared {
            None => counted_here,
            Some(shared) => shared.take(class, &who, quota).await.unwrap_or_else(|| {
                metrics::counter!("souk_limits_fallen_back_total").increment(1);
                counted_here
            }),
        };
        match count {
            Count::Passes { remaining } => {
                let after = WINDOW / quota.get() * quota.get().saturating_sub(remaining);
                Ok(Some(Told { class, quota: quota.get(), remaining, after }))
            }
            Count::Refused { wait } => {
                let detail = format!("{quota} requests of this kind a minute are allowed");
                let problem = Problem::new("rate-limited", detail).retry_after(whole_seconds(wait));
                Err((problem, Told { class, quota: quota.get(), remaining: 0, after: wait }))
            }
        }
    }
}

/// Seconds, begun ones too.
fn whole_seconds(time: Duration) -> u32 {
    u32::try_from(time.as_millis().div_ceil(1_000)).unwrap_or(u32::MAX).max(1)
}

fn quota(class: Class) -> Option<NonZeroU32> {
    match class {
        Class::Auth => Some(AUTH),
        Class::Read => Some(READ),
        Class::Write => Some(WRITE),
        Class::Unlimited => None,
    }
}

impl Told {
    /// Says it in the fields of draft-ietf-httpapi-ratelimit-headers.
    pub fn write(self, headers: &mut HeaderMap) {
        let Self { class, quota, remaining, after } = self;
        let (class, window, after) = (class.as_str(), WINDOW.as_secs(), whole_seconds(after));
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
