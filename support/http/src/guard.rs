//! Delays for callers who guess passwords, or guess the e-mail addresses of guests' orders.
//!
//! An attacker can also abuse the delays: failures on purpose make other callers wait. So failures of
//! strangers never delay a caller who has already proved more. Failures are counted as follows:
//!
//! - Sign-in: per account, even if the account does not exist, and per client address. All clients whose
//!   address is not known count as one address; otherwise an unreadable header would turn the delay off. A
//!   new password ends the delay of the account, because guesses at the old password are useless now.
//! - Password of a caller who is signed in: per session. So neither strangers at the sign-in nor a thief with
//!   another session of the account can keep the owner from changing the password or erasing the account.
//! - E-mail address of an order: per pair of order code and client address, and per client address. A
//!   stranger has about twenty guesses a day and delays nobody else. Against strangers with many addresses
//!   there is a limit per code and day, `GUESSES_OF_ORDER_A_DAY_MAX`. It is too low for guessing an e-mail
//!   address, and too high for one client address to use up. Client addresses that have already seen the
//!   order are exempt from it.
//!
//! An attempt counts as a failure until its outcome is known. So parallel guesses get no more comparisons
//! than guesses one after the other. When so many attempts are in progress that a delay could begin, a
//! further attempt waits until they have ended: many correct attempts at the same time all succeed.

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

use counts::{Attempt, Counts};

/// Largest number of waiting attempts at one target.
const WAITING_OF_TARGET_MAX: u32 = 64;
/// Largest number of waiting attempts at all targets together.
const WAITING_MAX: u32 = 512;
/// Longest time for which an attempt waits.
const WAIT_MAX: Duration = Duration::from_secs(10);
/// `Retry-After` of an attempt that could not wait, or waited too long, in seconds.
const RETRY_AFTER_S: u32 = 1;

/// Secret that a caller may try to guess.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum Target {
    /// Password of the account with this e-mail address, for a caller who is not signed in.
    SignIn(EmailHash),
    /// Password of the account that the caller is signed in to. The text is the session id, or the account id
    /// for a token without a session.
    SignedIn(String),
    /// E-mail address of the order with this code.
    Order(String),
}

impl Target {
    /// Returns the target of a signed-in caller who confirms the account's password.
    pub fn of_signed_in(caller: &Caller, account: &CustomerId) -> Self {
        Self::SignedIn(caller.session.map_or_else(|| account.to_string(), |session| session.to_string()))
    }
}

/// Returns the address under which a client is counted: the IPv4 address, or the /64 network of an IPv6
/// address, because a subscriber has a whole /64.
pub fn counted_address(address: IpAddr) -> IpAddr {
    match address {
        IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            IpAddr::V6(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0))
        }
    }
}

/// Counter of failed attempts, which delays further attempts.
pub struct Guard {
    is_on: bool,
    clock: Arc<dyn Clock>,
    counts: Mutex<Counts>,
    /// Notified when an attempt has ended.
    ended: Notify,
}

impl Guard {
    /// Creates a guard. If `is_on` is false it delays nobody, as some tests need.
    pub fn new(is_on: bool, clock: Arc<dyn Clock>) -> Self {
        Self { is_on, clock, counts: Mutex::new(Counts::new()), ended: Notify::new() }
    }

    /// Locks the counts. They are consistent at every moment, so they stay usable after a panic of another
    /// thread.
    fn counts(&self) -> MutexGuard<'_, Counts> {
        self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Makes an attempt as soon as it is allowed, and counts its outcome:
    ///
    /// - A result that `is_right` accepts is a success. It forgives earlier failures at the same target, but
    ///   not those of the client address: otherwise an attacker with an own account could guess without
    ///   limit.
    /// - A problem of the server (5xx or 429) does not count.
    /// - Everything else is a failure, also an attempt whose future is dropped before it ends.
    pub async fn attempt<T>(
        &self,
        target: &Target,
        address: Option<IpAddr>,
        action: impl Future<Output = Result<T, Problem>>,
        is_right: impl FnOnce(&T) -> bool,
    ) -> Result<T, Problem> {
        if !self.is_on {
            return action.await;
        }
        let mut in_progress = self.begin_or_wait(target, address.map(counted_address)).await?;
        let result = action.await;
        in_progress.outcome = match &result {
            Ok(found) if is_right(found) => Outcome::Right,
            Err(problem) if is_server_problem(problem) => Outcome::Nothing,
            _ => Outcome::Wrong,
        };
        drop(in_progress);
        result
    }

    /// Begins an attempt. If the decision depends on attempts in progress, waits for them, up to
    /// [`WAIT_MAX`].
    async fn begin_or_wait(
        &self,
        target: &Target,
        address: Option<IpAddr>,
    ) -> Result<InProgress<'_>, Problem> {
        if let Some(in_progress) = self.begin(target, address)? {
            return Ok(in_progress);
        }
        let _place = WaitingPlace::take_place(self, target)?;
        let begin = async {
            loop {
                let mut ended = pin!(self.ended.notified());
                // From here on, no notification is missed.
                ended.as_mut().enable();
                if let Some(in_progress) = self.begin(target, address)? {
                    return Ok(in_progress);
                }
                ended.await;
            }
        };
        tokio::time::timeout(WAIT_MAX, begin).await.unwrap_or_else(|_| Err(too_many_in_progress()))
    }

    /// Begins an attempt if it is allowed now. Returns `None` if that depends on attempts in progress.
    fn begin(&self, target: &Target, address: Option<IpAddr>) -> Result<Option<InProgress<'_>>, Problem> {
        let now = self.clock.now();
        let mut counts = self.counts();
        match counts.verdict(target, address, now) {
            Verdict::AfterSeconds(wait) => {
                let detail = format!("too many attempts failed; try again in {wait} seconds");
                Err(Problem::new("rate-limited", detail).retry_after(wait))
            }
            Verdict::WhenOthersEnd => Ok(None),
            Verdict::Now => {
                let attempt = counts.begin(target, address, now);
                Ok(Some(InProgress { guard: self, attempt, outcome: Outcome::Wrong }))
            }
        }
    }

    /// Forgives failed sign-ins to an account, because its password was changed.
    pub fn clear_sign_in_failures(&self, email: &EmailHash) {
        self.counts().clear_failures(&Target::SignIn(email.clone()));
        self.ended.notify_waiters();
    }

    /// Returns true if failures are counted and delayed.
    pub fn is_on(&self) -> bool {
        self.is_on
    }
}

fn is_server_problem(problem: &Problem) -> bool {
    let status = problem.status();
    status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS
}

fn too_many_in_progress() -> Problem {
    let detail = format!("too many attempts are in progress; try again in {RETRY_AFTER_S} seconds");
    Problem::new("rate-limited", detail).retry_after(RETRY_AFTER_S)
}

/// An attempt in progress. Its outcome is counted when it is dropped. Until the outcome is set it is a
/// failure, so that a caller who closes the connection early gets no free guess.
struct InProgress<'a> {
    guard: &'a Guard,
    attempt: Attempt,
    outcome: Outcome,
}

impl Drop for InProgress<'_> {
    fn drop(&mut self) {
        let now = self.guard.clock.now();
        self.guard.counts().end(&self.attempt, self.outcome, now);
        self.guard.ended.notify_waiters();
    }
}

/// A place among the waiting attempts. It is given back when dropped.
struct WaitingPlace<'a> {
    guard: &'a Guard,
    target: &'a Target,
}

impl<'a> WaitingPlace<'a> {
    fn take_place(guard: &'a Guard, target: &'a Target) -> Result<Self, Problem> {
        if !guard.counts().enter_wait(target) {
            return Err(too_many_in_progress());
        }
        Ok(Self { guard, target })
    }
}

impl Drop for WaitingPlace<'_> {
    fn drop(&mut self) {
        self.guard.counts().leave_wait(self.target);
    }
}

#[cfg(test)]
mod tests;
