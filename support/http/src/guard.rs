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
//!
//! A try counts as a failure until its outcome is known, so guesses at once are compared no more often than one after
//! the other. A try beyond the free ones waits until those before it have ended: a right password is not refused
//! because of others that are right.

mod counts;

use std::net::{IpAddr, Ipv6Addr};
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use axum::http::StatusCode;
use souk_domain::{CustomerId, EmailHash};
use souk_eventsourcing::Clock;
use souk_sign_in::throttle::{Outcome, Verdict};
use tokio::sync::Notify;

use crate::identity::Caller;
use crate::problem::Problem;

use counts::{Counts, Try};

/// Tries at one target that wait until those before them have ended.
const WAITING_OF_TARGET_MAX: u32 = 64;
/// Tries of all targets that wait.
const WAITING_MAX: u32 = 512;
/// The time that a try waits for those before it.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// The seconds after which a try may be repeated that found no room to wait, or waited in vain.
const RETRY_AFTER_S: u32 = 1;

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
    /// Told when a try has ended.
    ended: Notify,
}

impl Guard {
    /// Without delays where `is_on` is false, as in tests that want none.
    pub fn new(is_on: bool, clock: Arc<dyn Clock>) -> Self {
        Self { is_on, clock, counts: Mutex::new(Counts::new()), ended: Notify::new() }
    }

    /// Counts are whole at every moment, so a panic elsewhere leaves them usable.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes a try at something when it may be made, and counts its outcome: what `is_right` accepts forgives the
    /// failures before at the same target, a problem of ours counts for nothing, and everything else is a failure, also
    /// a try that is given up. Other failures of the address are not forgiven, or else a caller with an account could
    /// guess at others' without end.
    pub async fn counting<T>(
        &self,
        target: &Target,
        address: Option<IpAddr>,
        tried: impl Future<Output = Result<T, Problem>>,
        is_right: impl FnOnce(&T) -> bool,
    ) -> Result<T, Problem> {
        if !self.is_on {
            return tried.await;
        }
        let mut under_way = self.begin_at_last(target, address.map(counted)).await?;
        let result = tried.await;
        under_way.outcome = match &result {
            Ok(found) if is_right(found) => Outcome::Right,
            Err(problem) if is_ours(problem) => Outcome::Nothing,
            _ => Outcome::Wrong,
        };
        drop(under_way);
        result
    }

    /// Begins a try. One that depends on the outcome of others waits for it, for a while.
    async fn begin_at_last(&self, target: &Target, address: Option<IpAddr>) -> Result<UnderWay<'_>, Problem> {
        if let Some(begun) = self.begin(target, address)? {
            return Ok(begun);
        }
        let _place = Waiting::take_place(self, target)?;
        let begun = async {
            loop {
                let mut ended = pin!(self.ended.notified());
                // From here on no end is missed.
                ended.as_mut().enable();
                if let Some(begun) = self.begin(target, address)? {
                    return Ok(begun);
                }
                ended.await;
            }
        };
        tokio::time::timeout(WAIT_MAX, begun).await.unwrap_or_else(|_| Err(too_many_at_once()))
    }

    /// Begins a try if it may be made now; none if that depends on others that are under way.
    fn begin(&self, target: &Target, address: Option<IpAddr>) -> Result<Option<UnderWay<'_>>, Problem> {
        let now = self.clock.now();
        let mut counts = self.counts();
        match counts.verdict(target, address, now) {
            Verdict::In(wait) => {
                let detail = format!("too many tries failed; the next may come in {wait} seconds");
                Err(Problem::new("rate-limited", detail).retry_after(wait))
            }
            Verdict::WhenOthersEnd => Ok(None),
            Verdict::Now => {
                let begun = counts.begin(target, address, now);
                Ok(Some(UnderWay { guard: self, begun, outcome: Outcome::Wrong }))
            }
        }
    }

    /// Forgives what failed at the sign-in to an account: its password is another now.
    pub fn renewed(&self, email: &EmailHash) {
        self.counts().forgive(&Target::SignIn(email.clone()));
        self.ended.notify_waiters();
    }

    /// Says whether there are limits.
    pub fn is_on(&self) -> bool {
        self.is_on
    }
}

fn is_ours(problem: &Problem) -> bool {
    let status = problem.status();
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn too_many_at_once() -> Problem {
    let detail =
        format!("too many tries are under way at once; the next may come in {RETRY_AFTER_S} seconds");
    Problem::new("rate-limited", detail).retry_after(RETRY_AFTER_S)
}

/// A try that is being made. When it is dropped its outcome counts: a failure unless said otherwise, or else a caller
/// who hangs up in time would guess for nothing.
struct UnderWay<'a> {
    guard: &'a Guard,
    begun: Try,
    outcome: Outcome,
}

impl Drop for UnderWay<'_> {
    fn drop(&mut self) {
        let now = self.guard.clock.now();
        self.guard.counts().end(&self.begun, self.outcome, now);
        self.guard.ended.notify_waiters();
    }
}

/// A place among the tries that wait.
struct Waiting<'a> {
    guard: &'a Guard,
    target: &'a Target,
}

impl<'a> Waiting<'a> {
    fn take_place(guard: &'a Guard, target: &'a Target) -> Result<Self, Problem> {
        if !guard.counts().wait(target) {
            return Err(too_many_at_once());
        }
        Ok(Self { guard, target })
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.guard.counts().wait_no_more(self.target);
    }
}

#[cfg(test)]
mod tests;
