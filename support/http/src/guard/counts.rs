//! Counts of a guard: the wrong guesses at each target and from each client address.
//!
//! [`Counts`] combines several throttles. An attempt is allowed only if every throttle that counts it allows
//! it.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;

use jiff::Timestamp;
use lru::LruCache;
use souk_sign_in::throttle::{DELAY_S_MAX, DailyLimit, FREE_FAILURES, Outcome, Throttle, Verdict};

use super::{Target, WAITING_MAX, WAITING_OF_TARGET_MAX};

/// Number of failures of one client address after which delays begin. It is high, because many people can
/// share an address.
pub(super) const FREE_FAILURES_OF_ADDRESS: u32 = 50;
/// Longest delay of clients whose address is not known, in seconds. They all share one delay, so it is short:
/// one attacker must not shut out the others for long.
pub(super) const DELAY_S_MAX_OF_UNKNOWN: i64 = 60;
/// Longest delay of one client address at one order code, in seconds. It delays nobody else, so it can grow
/// until one address has about twenty guesses a day.
const DELAY_S_MAX_OF_ORDER: i64 = 24 * 3600;
/// Largest number of wrong guesses at one order code in a day, from all client addresses together.
pub(super) const GUESSES_OF_ORDER_A_DAY_MAX: u32 = 100;
/// Largest number of pairs of order code and client address that are remembered as successful. The least
/// recently used pair is dropped first.
const SUCCESSFUL_MAX: usize = 100_000;

/// An order code and the client address that guesses at it (`None` if the address is not known).
type CodeAndAddress = (String, Option<IpAddr>);

/// An attempt that has begun.
#[derive(Clone, Debug)]
pub(super) struct Attempt {
    target: Target,
    address: Option<IpAddr>,
    /// True if the attempt counts for the daily limit of the order code, which all client addresses share.
    counts_for_day: bool,
}

pub(super) struct Counts {
    accounts: Throttle<Target>,
    addresses: Throttle<IpAddr>,
    unknown: Throttle<()>,
    orders: Throttle<CodeAndAddress>,
    orders_of_day: DailyLimit<String>,
    successful: LruCache<CodeAndAddress, ()>,
    /// Number of waiting attempts per target.
    waiting: HashMap<Target, u32>,
    /// Number of all waiting attempts.
    waiting_total: u32,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            accounts: Throttle::new(FREE_FAILURES, DELAY_S_MAX),
            addresses: Throttle::new(FREE_FAILURES_OF_ADDRESS, DELAY_S_MAX),
            unknown: Throttle::new(FREE_FAILURES_OF_ADDRESS, DELAY_S_MAX_OF_UNKNOWN),
            orders: Throttle::new(FREE_FAILURES, DELAY_S_MAX_OF_ORDER),
            orders_of_day: DailyLimit::new(GUESSES_OF_ORDER_A_DAY_MAX),
            successful: LruCache::new(NonZeroUsize::new(SUCCESSFUL_MAX).unwrap_or(NonZeroUsize::MIN)),
            waiting: HashMap::new(),
            waiting_total: 0,
        }
    }

    pub(super) fn verdict(&mut self, target: &Target, address: Option<IpAddr>, now: Timestamp) -> Verdict {
        let of_target = match target {
            Target::SignedIn(_) => return self.accounts.verdict(target, now),
            Target::SignIn(_) => self.accounts.verdict(target, now),
            Target::Order(code) => {
                let pair = (code.clone(), address);
                let of_day = if self.successful.contains(&pair) {
                    Verdict::Now
                } else {
                    self.orders_of_day.verdict(code, now)
                };
                self.orders.verdict(&pair, now).max(of_day)
            }
        };
        let of_address = match address {
            Some(address) => self.addresses.verdict(&address, now),
            None => self.unknown.verdict(&(), now),
        };
        of_target.max(of_address)
    }

    pub(super) fn begin(&mut self, target: &Target, address: Option<IpAddr>, now: Timestamp) -> Attempt {
        let mut attempt = Attempt { target: target.clone(), address, counts_for_day: false };
        match target {
            Target::SignedIn(_) => {
                self.accounts.begin(target.clone(), now);
                return attempt;
            }
            Target::SignIn(_) => self.accounts.begin(target.clone(), now),
            Target::Order(code) => {
                let pair = (code.clone(), address);
                attempt.counts_for_day = !self.successful.contains(&pair);
                if attempt.counts_for_day {
                    self.orders_of_day.begin(code.clone(), now);
                }
                self.orders.begin(pair, now);
            }
        }
        match address {
            Some(address) => self.addresses.begin(address, now),
            None => self.unknown.begin((), now),
        }
        attempt
    }

    pub(super) fn end(&mut self, attempt: &Attempt, outcome: Outcome, now: Timestamp) {
        let Attempt { target, address, counts_for_day } = attempt;
        match target {
            Target::SignedIn(_) => return self.accounts.end(target.clone(), outcome, now),
            Target::SignIn(_) => self.accounts.end(target.clone(), outcome, now),
            Target::Order(code) => {
                let pair = (code.clone(), *address);
                if *counts_for_day {
                    self.orders_of_day.end(code.clone(), outcome, now);
                }
                self.orders.end(pair.clone(), outcome, now);
                if outcome == Outcome::Right {
                    self.successful.put(pair, ());
                }
            }
        }
        // A right guess does not end the delay of its address, which may belong to many people.
        let of_address = if outcome == Outcome::Right { Outcome::Nothing } else { outcome };
        match address {
            Some(address) => self.addresses.end(*address, of_address, now),
            None => self.unknown.end((), of_address, now),
        }
    }

    /// Forgets the failures at an account. The failures at order codes stay.
    pub(super) fn clear_failures(&mut self, target: &Target) {
        self.accounts.clear_failures(target);
    }

    /// Takes a place among the waiting attempts. Returns false if none is free.
    pub(super) fn enter_wait(&mut self, target: &Target) -> bool {
        let of_target = self.waiting.get(target).copied().unwrap_or_default();
        if of_target >= WAITING_OF_TARGET_MAX || self.waiting_total >= WAITING_MAX {
            return false;
        }
        self.waiting.insert(target.clone(), of_target + 1);
        self.waiting_total += 1;
        true
    }

    /// Returns the number of waiting attempts.
    #[cfg(test)]
    pub(super) fn waiting_total(&self) -> u32 {
        self.waiting_total
    }

    /// Gives back a place among the waiting attempts.
    pub(super) fn leave_wait(&mut self, target: &Target) {
        self.waiting_total = self.waiting_total.saturating_sub(1);
        match self.waiting.get_mut(target) {
            Some(of_target) if *of_target > 1 => *of_target -= 1,
            _ => {
                self.waiting.remove(target);
            }
        }
    }
}
