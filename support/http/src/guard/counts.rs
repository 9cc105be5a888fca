//! The counts of a guard: which targets and addresses a try counts for.

use std::collections::HashMap;
use std::net::IpAddr;
use std::num::NonZeroUsize;

use jiff::Timestamp;
use lru::LruCache;
use souk_sign_in::throttle::{DELAY_S_MAX, DailyBound, FREE_FAILURES, Outcome, Throttle, Verdict};

use super::{Target, WAITING_MAX, WAITING_OF_TARGET_MAX};

/// Failures of one client address that are forgiven: many people may be behind it.
pub(super) const FREE_FAILURES_OF_ADDRESS: u32 = 50;
/// The longest delay of all clients together whose address is not known, in seconds. They share it, so it is short
/// enough that one who guesses does not shut out the others for long.
pub(super) const DELAY_S_MAX_OF_UNKNOWN: i64 = 60;
/// The longest delay of one client address at one order's code, in seconds: it delays nobody else, so it can grow
/// until one address has some twenty guesses a day.
const DELAY_S_MAX_OF_ORDER: i64 = 24 * 3600;
/// Wrong guesses at one order's code in a day, from all client addresses together.
pub(super) const GUESSES_OF_ORDER_A_DAY_MAX: u32 = 100;
/// Codes of orders with client addresses that were right about them: the least recent go first.
const KNOWN_MAX: usize = 100_000;

/// An order's code and the client address that guesses at it; none where addresses are not known.
type Pair = (String, Option<IpAddr>);

/// A try that was begun.
#[derive(Clone, Debug)]
pub(super) struct Try {
    target: Target,
    address: Option<IpAddr>,
    /// True if it counts for the bound that all addresses share at the code of an order.
    is_of_all: bool,
}

pub(super) struct Counts {
    accounts: Throttle<Target>,
    addresses: Throttle<IpAddr>,
    unknown: Throttle<()>,
    orders: Throttle<Pair>,
    orders_of_all: DailyBound<String>,
    known: LruCache<Pair, ()>,
    /// Tries that wait, by target.
    waiting: HashMap<Target, u32>,
    /// The number of all of them.
    waiting_of_all: u32,
}

impl Counts {
    pub(super) fn new() -> Self {
        Self {
            accounts: Throttle::new(FREE_FAILURES, DELAY_S_MAX),
            addresses: Throttle::new(FREE_FAILURES_OF_ADDRESS, DELAY_S_MAX),
            unknown: Throttle::new(FREE_FAILURES_OF_ADDRESS, DELAY_S_MAX_OF_UNKNOWN),
            orders: Throttle::new(FREE_FAILURES, DELAY_S_MAX_OF_ORDER),
            orders_of_all: DailyBound::new(GUESSES_OF_ORDER_A_DAY_MAX),
            known: LruCache::new(NonZeroUsize::new(KNOWN_MAX).unwrap_or(NonZeroUsize::MIN)),
            waiting: HashMap::new(),
            waiting_of_all: 0,
        }
    }

    pub(super) fn verdict(&mut self, target: &Target, address: Option<IpAddr>, now: Timestamp) -> Verdict {
        let of_target = match target {
            Target::SignedIn(_) => return self.accounts.verdict(target, now),
            Target::SignIn(_) => self.accounts.verdict(target, now),
            Target::Order(code) => {
                let pair = (code.clone(), address);
                let of_all = if self.known.contains(&pair) {
                    Verdict::Now
                } else {
                    self.orders_of_all.verdict(code, now)
                };
                self.orders.verdict(&pair, now).max(of_all)
            }
        };
        let of_address = match address {
            Some(address) => self.addresses.verdict(&address, now),
            None => self.unknown.verdict(&(), now),
        };
        of_target.max(of_address)
    }

    pub(super) fn begin(&mut self, target: &Target, address: Option<IpAddr>, now: Timestamp) -> Try {
        let mut begun = Try { target: target.clone(), address, is_of_all: false };
        match target {
            Target::SignedIn(_) => {
                self.accounts.begin(target.clone(), now);
                return begun;
            }
            Target::SignIn(_) => self.accounts.begin(target.clone(), now),
            Target::Order(code) => {
                let pair = (code.clone(), address);
                begun.is_of_all = !self.known.contains(&pair);
                if begun.is_of_all {
                    self.orders_of_all.begin(code.clone(), now);
                }
                self.orders.begin(pair, now);
            }
        }
        match address {
            Some(address) => self.addresses.begin(address, now),
            None => self.unknown.begin((), now),
        }
        begun
    }

    pub(super) fn end(&mut self, begun: &Try, outcome: Outcome, now: Timestamp) {
        let Try { target, address, is_of_all } = begun;
        match target {
            Target::SignedIn(_) => return self.accounts.end(target.clone(), outcome, now),
            Target::SignIn(_) => self.accounts.end(target.clone(), outcome, now),
            Target::Order(code) => {
                let pair = (code.clone(), *address);
                if *is_of_all {
                    self.orders_of_all.end(code.clone(), outcome, now);
                }
                self.orders.end(pair.clone(), outcome, now);
                if outcome == Outcome::Right {
                    self.known.put(pair, ());
                }
            }
        }
        let of_address = if outcome == Outcome::Right { Outcome::Nothing } else { outcome };
        match address {
            Some(address) => self.addresses.end(*address, of_address, now),
            None => self.unknown.end((), of_address, now),
        }
    }

    /// Forgives what failed at a target.
    pub(super) fn forgive(&mut self, target: &Target) {
        self.accounts.forgive(target);
    }

    /// Takes a place among the tries that wait. Returns false if there is none.
    pub(super) fn wait(&mut self, target: &Target) -> bool {
        let of_target = self.waiting.get(target).copied().unwrap_or_default();
        if of_target >= WAITING_OF_TARGET_MAX || self.waiting_of_all >= WAITING_MAX {
            return false;
        }
        self.waiting.insert(target.clone(), of_target + 1);
        self.waiting_of_all += 1;
        true
    }

    /// The number of tries that wait.
    #[cfg(test)]
    pub(super) fn waiting_of_all(&self) -> u32 {
        self.waiting_of_all
    }

    /// Gives the place back.
    pub(super) fn wait_no_more(&mut self, target: &Target) {
        self.waiting_of_all = self.waiting_of_all.saturating_sub(1);
        match self.waiting.get_mut(target) {
            Some(of_target) if *of_target > 1 => *of_target -= 1,
            _ => {
                self.waiting.remove(target);
            }
        }
    }
}
