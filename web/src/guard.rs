//! Slows down those who guess passwords and codes of orders: by what they guess at, whether or not it is
//! there, and by where they are.

use std::net::{IpAddr, Ipv6Addr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use souk_accounts::throttle::{FREE_FAILURES, Throttle};
use souk_domain::EmailHash;
use souk_eventsourcing::Clock;

use crate::problem::Problem;

/// Failures of one client address that are forgiven: many people may be behind it.
const FREE_FAILURES_OF_ADDRESS: u32 = 50;
/// Mails that one e-mail address gets before there are delays.
const FREE_MAILS: u32 = 3;

/// What somebody who looks an order up guesses at.
pub fn of_order(code: &str) -> String {
    format!("order {code}")
}

/// What is counted: an address, or for IPv6 the network that one subscriber has.
pub fn counted(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Counts what fails.
pub struct Guard {
    is_on: bool,
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
}

struct Counts {
    targets: Throttle<String>,
    addresses: Throttle<IpAddr>,
    mails: Throttle<EmailHash>,
}

impl Guard {
    /// Without delays where `is_on` is false, as in tests that want none.
    pub fn new(is_on: bool, clock: Arc<dyn Clock>) -> Self {
        let counts = Counts {
            targets: Throttle::new(FREE_FAILURES),
            addresses: Throttle::new(FREE_FAILURES_OF_ADDRESS),
            mails: Throttle::new(FREE_MAILS),
        };
        Self { is_on, clock, counts: Mutex::new(counts) }
    }

    /// Counts are whole at every moment, so a panic elsewhere leaves them usable.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a try at something while it is made, and not when it comes to nothing for a reason of ours.
    pub async fn counting<T>(
        &self,
        target: &str,
        address: Option<IpAddr>,
        tried: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        self.attempt(target, address)?;
        let outcome = tried.await;
        let is_ours = |problem: &Problem| {
            let status = problem.status();
            status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
        };
        if outcome.as_ref().is_err_and(is_ours) {
            let mut counts = self.counts();
            counts.targets.undo(&target.to_owned());
            if let Some(address) = address.map(counted) {
                counts.addresses.undo(&address);
            }
        }
        outcome
    }

    /// Counts a try at something, or refuses it: it is counted before its outcome is known, so that tries
    /// at once are no way around.
    fn attempt(&self, target: &str, address: Option<IpAddr>) -> Result<(), Problem> {
        if !self.is_on {
            return Ok(());
        }
        let (now, target) = (self.clock.now(), target.to_owned());
        let address = address.map(counted);
        let mut counts = self.counts();
        let of_target = counts.targets.wait_s(&target, now);
        let of_address = address.and_then(|address| counts.addresses.wait_s(&address, now));
        if let Some(wait) = of_target.max(of_address) {
            let detail = format!("too many tries failed; the next may come in {wait} seconds");
            return Err(Problem::new("rate-limited", detail).retry_after(wait));
        }
        counts.targets.failed(target, now);
        if let Some(address) = address {
            counts.addresses.failed(address, now);
        }
        Ok(())
    }

    /// The try was right: what failed before at the same is forgiven. Other failures of the address are not,
    /// or else whoever has an account of their own could guess at others' without end.
    pub fn succeeded(&self, target: &str, address: Option<IpAddr>) {
        let mut counts = self.counts();
        counts.targets.succeeded(&target.to_owned());
        if let Some(address) = address.map(counted) {
            counts.addresses.undo(&address);
        }
    }

    /// Whether another mail may be sent to an address now; counts it.
    pub fn may_mail(&self, address: &EmailHash) -> bool {
        let now = self.clock.now();
        let mut counts = self.counts();
        let may = !self.is_on || counts.mails.wait_s(address, now).is_none();
        if may {
            counts.mails.failed(address.clone(), now);
        }
        may
    }
}

#[cfg(test)]
mod tests {
    use souk_eventsourcing::testkit::Noon;

    use super::*;

    #[tokio::test]
    async fn a_try_that_we_could_not_answer_is_no_failure() {
        let guard = Guard::new(true, Arc::new(Noon));
        let tried = async |code| {
            let outcome = async { Err::<(), _>(Problem::new(code, "")) };
            guard.counting("ada", None, outcome).await.unwrap_err().code()
        };
        for _ in 0..20 {
            assert_eq!(tried("log-unavailable").await, "log-unavailable");
        }
        for _ in 0..5 {
            assert_eq!(tried("unauthenticated").await, "unauthenticated");
        }
        assert_eq!(tried("unauthenticated").await, "rate-limited");
    }

    #[tokio::test]
    async fn an_address_that_guesses_at_many_waits_and_others_do_not() {
        let guard = Guard::new(true, Arc::new(Noon));
        let tried = async |target: usize, address: &str| {
            let outcome = async { Err::<(), _>(Problem::new("unauthenticated", "")) };
            let address = address.parse().ok();
            guard.counting(&target.to_string(), address, outcome).await.unwrap_err().code()
        };
        for target in 0..FREE_FAILURES_OF_ADDRESS as usize {
            assert_eq!(tried(target, "2001:db8::1").await, "unauthenticated");
        }
        assert_eq!(tried(1_000, "2001:db8::2").await, "rate-limited", "it is the same subscriber");
        assert_eq!(tried(1_000, "2001:db8:0:1::1").await, "unauthenticated");
    }

    #[test]
    fn an_address_is_not_flooded_with_mail() {
        let guard = Guard::new(true, Arc::new(Noon));
        let (ada, bob) = (EmailHash::of(&[1; 32], "ada"), EmailHash::of(&[1; 32], "bob"));
        for _ in 0..FREE_MAILS {
            assert!(guard.may_mail(&ada));
        }
        assert!(!guard.may_mail(&ada) && guard.may_mail(&bob));
    }

    #[test]
    fn a_subscriber_of_ipv6_counts_once() {
        let of = |text: &str| counted(text.parse().unwrap());
        assert_eq!(of("2001:db8:1:2:3::4"), of("2001:db8:1:2:ffff::"));
        assert_ne!(of("2001:db8:1:2::"), of("2001:db8:1:3::"));
        assert_ne!(of("192.0.2.1"), of("192.0.2.2"));
    }
}
