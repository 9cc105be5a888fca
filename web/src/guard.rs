//! Slows down callers who guess passwords and e-mail addresses of orders.
//!
//! A delay is a lever, too: a stranger who fails on purpose makes others wait. So what a stranger can fail at never
//! delays a caller who has already shown more:
//!
//! - Sign-in: by account, whether or not it exists, and by client address; clients whose address is not known count
//!   as one, or else a header that nobody can read would turn the delay off. A new password lifts the delay of the
//!   account, since guesses at the old one say nothing about it.
//! - The password of a caller who is signed in: by the session. Neither strangers at the sign-in nor a thief with
//!   another session of the account can keep its owner from changing the password or erasing the account.
//! - The e-mail address of an order: by the order's code and the client address together, and by client address.
//!   One stranger has some twenty guesses a day and delays nobody else. For strangers with many addresses there is a
//!   bound per code, `GUESSES_OF_ORDER_A_DAY_MAX`: few enough that guessing an e-mail address is hopeless, and too
//!   many for one address to use up. It ends by itself each day, and an address from which the order was shown
//!   before is not held to it.

use std::net::{IpAddr, Ipv6Addr};
use std::num::NonZeroUsize;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use axum::http::StatusCode;
use lru::LruCache;
use souk_accounts::throttle::{DELAY_S_MAX, DailyBound, FREE_FAILURES, Throttle};
use souk_domain::{CustomerId, EmailHash};
use souk_eventsourcing::Clock;

use crate::identity::Caller;
use crate::problem::Problem;

/// Failures of one client address that are forgiven: many people may be behind it.
const FREE_FAILURES_OF_ADDRESS: u32 = 50;
/// The longest delay of all clients together whose address is not known, in seconds. They share it, so it is short
/// enough that one who guesses does not shut out the others for long.
const DELAY_S_MAX_OF_UNKNOWN: i64 = 60;
/// The longest delay of one client address at one order's code, in seconds: it delays nobody else, so it can grow
/// until one address has some twenty guesses a day.
const DELAY_S_MAX_OF_ORDER: i64 = 24 * 3600;
/// Wrong guesses at one order's code in a day, from all client addresses together.
const GUESSES_OF_ORDER_A_DAY_MAX: u32 = 100;
/// Codes of orders with client addresses that were right about them: the least recent go first.
const KNOWN_MAX: usize = 100_000;

/// A secret that a caller may guess at.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// The password of the account with this e-mail address, of a caller who is not signed in.
    SignIn(EmailHash),
    /// The password of an account, of a caller who is signed in to it: by the session, or by the account where a
    /// token has none.
    SignedIn(String),
    /// The e-mail address of the order with this code.
    Order(String),
}

impl Target {
    /// Reads the target of a signed-in caller who confirms the password.
    pub fn of_signed_in(caller: &Caller, account: &CustomerId) -> Self {
        Self::SignedIn(caller.session.map_or_else(|| account.to_string(), |session| session.to_string()))
    }
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

impl Guard {
    /// Without delays where `is_on` is false, as in tests that want none.
    pub fn new(is_on: bool, clock: Arc<dyn Clock>) -> Self {
        Self { is_on, clock, counts: Mutex::new(Counts::new()) }
    }

    /// Counts are whole at every moment, so a panic elsewhere leaves them usable.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Counts a try at something while it is made, and not when it comes to nothing for a reason of ours.
    pub async fn counting<T>(
        &self,
        target: &Target,
        address: Option<IpAddr>,
        tried: impl Future<Output = Result<T, Problem>>,
    ) -> Result<T, Problem> {
        let address = address.map(counted);
        self.attempt(target, address)?;
        let outcome = tried.await;
        let is_ours = |problem: &Problem| {
            let status = problem.status();
            status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
        };
        if outcome.as_ref().is_err_and(is_ours) {
            self.counts().undo(target, address);
        }
        outcome
    }

    /// Counts a try at something, or refuses it: it is counted before its outcome is known, so that tries
    /// at once are no way around.
    fn attempt(&self, target: &Target, address: Option<IpAddr>) -> Result<(), Problem> {
        if !self.is_on {
            return Ok(());
        }
        let now = self.clock.now();
        let mut counts = self.counts();
        if let Some(wait) = counts.wait_s(target, address, now) {
            let detail = format!("too many tries failed; the next may come in {wait} seconds");
            return Err(Problem::new("rate-limited", detail).retry_after(wait));
        }
        counts.failed(target, address, now);
        Ok(())
    }

    /// Forgives what failed before at the same, since the try was right. Other failures of the address are not
    /// forgiven, or else whoever has an account of their own could guess at others' without end.
    pub fn succeeded(&self, target: &Target, address: Option<IpAddr>) {
        self.counts().succeeded(target, address.map(counted));
    }

    /// Forgives what failed at the sign-in to an account: its password is another now.
    pub fn renewed(&self, email: &EmailHash) {
        self.counts().accounts.succeeded(&Target::SignIn(email.clone()));
    }

    /// Says whether there are limits.
    pub fn is_on(&self) -> bool {
        self.is_on
    }
}

/// An order's code and the client address that guesses at it; none where addresses are not known.
type Pair = (String, Option<IpAddr>);

struct Counts {
    accounts: Throttle<Target>,
    addresses: Throttle<IpAddr>,
    unknown: Throttle<()>,
    orders: Throttle<Pair>,
    orders_of_all: DailyBound<String>,
    known: LruCache<Pair, ()>,
}

impl Counts {
    fn new() -> Self {
        Self {
            accounts: Throttle::new(FREE_FAILURES, DELAY_S_MAX),
            addresses: Throttle::new(FREE_FAILURES_OF_ADDRESS, DELAY_S_MAX),
            unknown: Throttle::new(FREE_FAILURES_OF_ADDRESS, DELAY_S_MAX_OF_UNKNOWN),
            orders: Throttle::new(FREE_FAILURES, DELAY_S_MAX_OF_ORDER),
            orders_of_all: DailyBound::new(GUESSES_OF_ORDER_A_DAY_MAX),
            known: LruCache::new(NonZeroUsize::new(KNOWN_MAX).unwrap_or(NonZeroUsize::MIN)),
        }
    }

    fn wait_s(&mut self, target: &Target, address: Option<IpAddr>, now: jiff::Timestamp) -> Option<u32> {
        let of_target = match target {
            Target::SignedIn(_) => return self.accounts.wait_s(target, now),
            Target::SignIn(_) => self.accounts.wait_s(target, now),
            Target::Order(code) => {
                let pair = (code.clone(), address);
                let of_all =
                    if self.known.contains(&pair) { None } else { self.orders_of_all.wait_s(code, now) };
                self.orders.wait_s(&pair, now).max(of_all)
            }
        };
        let of_address = match address {
            Some(address) => self.addresses.wait_s(&address, now),
            None => self.unknown.wait_s(&(), now),
        };
        of_target.max(of_address)
    }

    fn failed(&mut self, target: &Target, address: Option<IpAddr>, now: jiff::Timestamp) {
        match target {
            Target::SignedIn(_) => return self.accounts.failed(target.clone(), now),
            Target::SignIn(_) => self.accounts.failed(target.clone(), now),
            Target::Order(code) => {
                let pair = (code.clone(), address);
                if !self.known.contains(&pair) {
                    self.orders_of_all.failed(code.clone(), now);
                }
                self.orders.failed(pair, now);
            }
        }
        match address {
            Some(address) => self.addresses.failed(address, now),
            None => self.unknown.failed((), now),
        }
    }

    fn undo(&mut self, target: &Target, address: Option<IpAddr>) {
        match target {
            Target::SignedIn(_) => return self.accounts.undo(target),
            Target::SignIn(_) => self.accounts.undo(target),
            Target::Order(code) => {
                let pair = (code.clone(), address);
                if !self.known.contains(&pair) {
                    self.orders_of_all.undo(code);
                }
                self.orders.undo(&pair);
            }
        }
        match address {
            Some(address) => self.addresses.undo(&address),
            None => self.unknown.undo(&()),
        }
    }

    fn succeeded(&mut self, target: &Target, address: Option<IpAddr>) {
        self.undo(target, address);
        match target {
            Target::SignIn(_) | Target::SignedIn(_) => self.accounts.succeeded(target),
            Target::Order(code) => {
                let pair = (code.clone(), address);
                self.orders.succeeded(&pair);
                self.known.put(pair, ());
            }
        }
    }
}

#[cfg(test)]
mod tests;
