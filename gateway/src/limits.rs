//! How often somebody may ask: by client address, and by who they are.

use std::net::IpAddr;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicU32, Ordering};

use axum::http::{HeaderMap, HeaderValue};
use governor::clock::{Clock as _, DefaultClock};
use governor::middleware::StateInformationMiddleware;
use governor::state::keyed::DefaultKeyedStateStore;
use governor::{Quota, RateLimiter};
use souk_web::guard::counted;
use souk_web::{Caller, Problem, Role};

use crate::table::Class;

/// The window of every limit, in seconds.
const WINDOW_S: u32 = 60;
/// Requests after which those who have not asked for long are forgotten.
const FORGET_EVERY: u32 = 10_000;

/// Requests a minute of each class, at once or spread.
const AUTH: NonZeroU32 = NonZeroU32::new(60).unwrap();
const READ: NonZeroU32 = NonZeroU32::new(1_200).unwrap();
const WRITE: NonZeroU32 = NonZeroU32::new(300).unwrap();

/// Who is counted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
enum Counted {
    Address(IpAddr),
    Subject(String),
}

type Limiter =
    RateLimiter<Counted, DefaultKeyedStateStore<Counted>, DefaultClock, StateInformationMiddleware>;

/// The limits of one process.
pub struct Limits {
    /// None when they are switched off.
    limiters: Option<[(Class, NonZeroU32, Limiter); 3]>,
    asked: AtomicU32,
}

/// What is told of a limit with an answer.
#[derive(Clone, Copy, Debug)]
pub struct Told {
    class: Class,
    quota: u32,
    remaining: u32,
}

impl Limits {
    /// Those of the API's contract, or none.
    pub fn new(are_on: bool) -> Self {
        let limiter = |class: Class, quota: NonZeroU32| {
            let limiter = RateLimiter::keyed(Quota::per_minute(quota));
            (class, quota, limiter.with_middleware::<StateInformationMiddleware>())
        };
        let limiters =
            || [limiter(Class::Auth, AUTH), limiter(Class::Read, READ), limiter(Class::Write, WRITE)];
        Self { limiters: are_on.then(limiters), asked: AtomicU32::new(0) }
    }

    /// Counts a request, or refuses it. Signing in is counted by address whoever asks; nothing else is for
    /// the shop's own: admins, other systems, and this machine.
    pub fn check(&self, class: Class, caller: &Caller) -> Result<Option<Told>, Problem> {
        let Some(limiters) = &self.limiters else { return Ok(None) };
        let is_ours = caller.is_admin()
            || caller.has(Role::Service)
            || caller.address.is_some_and(|address| address.is_loopback());
        if is_ours && class != Class::Auth {
            return Ok(None);
        }
        let Some((_, quota, limiter)) = limiters.iter().find(|(of, ..)| *of == class) else {
            return Ok(None);
        };
        if self.asked.fetch_add(1, Ordering::Relaxed) % FORGET_EVERY == FORGET_EVERY - 1 {
            limiter.retain_recent();
        }
        let address = caller.address.map(|address| Counted::Address(counted(address)));
        let subject = caller.subject.as_ref().map(|subject| Counted::Subject(subject.to_string()));
        let mut told: Option<Told> = None;
        for key in address.into_iter().chain(subject) {
            let remaining = match limiter.check_key(&key) {
                Ok(snapshot) => snapshot.remaining_burst_capacity(),
                Err(until) => {
                    let wait = until.wait_time_from(DefaultClock::default().now());
                    let seconds = u32::try_from(wait.as_secs()).unwrap_or(WINDOW_S) + 1;
                    let detail = format!("{quota} requests of this kind a minute are allowed");
                    return Err(Problem::new("rate-limited", detail).retry_after(seconds));
                }
            };
            let remaining = told.map_or(remaining, |told| told.remaining.min(remaining));
            told = Some(Told { class, quota: quota.get(), remaining });
        }
        Ok(told)
    }
}

impl Told {
    /// Says it in the fields of draft-ietf-httpapi-ratelimit-headers.
    pub fn write(self, headers: &mut HeaderMap) {
        let Self { class, quota, remaining } = self;
        let class = class.as_str();
        for (name, value) in [
            ("ratelimit-policy", format!("\"{class}\";q={quota};w={WINDOW_S}")),
            ("ratelimit", format!("\"{class}\";r={remaining};t={WINDOW_S}")),
        ] {
            if let Ok(value) = HeaderValue::try_from(value) {
                headers.insert(name, value);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_domain::CustomerId;

    use super::*;

    fn at(address: &str) -> Caller {
        Caller { address: Some(address.parse().unwrap()), ..Caller::default() }
    }

    fn passes(limits: &Limits, class: Class, caller: &Caller) -> u32 {
        (0..5_000).take_while(|_| limits.check(class, caller).is_ok()).count().try_into().unwrap()
    }

    #[test]
    fn whoever_signs_in_too_often_waits_wherever_they_are() {
        for address in ["192.0.2.1", "127.0.0.1"] {
            let limits = Limits::new(true);
            // A slot comes free each second: a slow machine gets one or the other more.
            let passed = passes(&limits, Class::Auth, &at(address));
            assert!((60..120).contains(&passed), "{address}: {passed}");
            let refused = limits.check(Class::Auth, &at(address)).unwrap_err();
            assert_eq!(refused.code(), "rate-limited");
            assert!(limits.check(Class::Auth, &at("192.0.2.2")).is_ok());
        }
    }

    #[test]
    fn the_shops_own_are_not_limited_otherwise() {
        let limits = Limits::new(true);
        let subject = Some(CustomerId::parse("ops").unwrap());
        let admin = Caller { subject, roles: vec![Role::Admin], ..at("192.0.2.1") };
        assert_eq!(passes(&limits, Class::Write, &admin), 5_000);
        assert_eq!(passes(&limits, Class::Write, &at("127.0.0.1")), 5_000);
        assert!(passes(&limits, Class::Write, &at("192.0.2.3")) < 5_000);
        assert_eq!(passes(&limits, Class::Unlimited, &at("192.0.2.3")), 5_000);
        assert_eq!(passes(&Limits::new(false), Class::Auth, &at("192.0.2.3")), 5_000);
    }

    #[test]
    fn somebody_counts_once_wherever_they_ask_from() {
        let limits = Limits::new(true);
        let subject = Some(CustomerId::parse("ada").unwrap());
        let from = |n: u32| Caller {
            subject: subject.clone(),
            roles: vec![Role::Customer],
            ..at(&format!("192.0.2.{}", n % 250))
        };
        let passed = (0..5_000).take_while(|n| limits.check(Class::Write, &from(*n)).is_ok()).count();
        assert!((300..1_000).contains(&passed), "{passed}");
    }

    #[test]
    fn what_is_left_is_said() {
        let mut headers = HeaderMap::new();
        let told = Limits::new(true).check(Class::Auth, &at("192.0.2.1")).unwrap().unwrap();
        told.write(&mut headers);
        assert_eq!(headers["ratelimit"], "\"auth\";r=59;t=60");
        assert_eq!(headers["ratelimit-policy"], "\"auth\";q=60;w=60");
    }
}
