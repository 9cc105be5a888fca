//! A limited resource that client addresses share. No client may hold more of it than is left free.
//!
//! A single client gets at most half. If `n` clients take as much as they can, each gets an equal part, and a
//! part of the same size stays free for the next client. This is the dynamic threshold of Choudhury and Hahne
//! (IEEE/ACM Transactions on Networking 6(2), 1998) with a factor of one.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use souk_http::guard::counted_address;

/// A resource with a fixed total amount.
#[derive(Debug)]
pub struct Shares {
    max: usize,
    held: Mutex<HeldAmounts>,
}

/// Amounts that clients hold.
#[derive(Debug, Default)]
struct HeldAmounts {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// Part of the resource that one client holds. Dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    shares: Arc<Shares>,
    client: Option<IpAddr>,
    amount: usize,
}

impl Shares {
    /// Creates a resource of this amount, all of it free.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, held: Mutex::default() })
    }

    /// Returns the total amount.
    pub fn max(&self) -> usize {
        self.max
    }

    /// Returns the amount that all clients together hold now.
    pub fn held(&self) -> usize {
        self.held.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// Takes a part for a client address. Returns `None` if the client would then hold more than is left
    /// free. A client without an address may take all that is free. An IPv6 network (/64) counts as one
    /// client.
    pub fn take(self: &Arc<Self>, client: Option<IpAddr>, amount: usize) -> Option<Share> {
        let mut share = self.empty_share(client);
        share.grow(amount).then_some(share)
    }

    /// Returns an empty share, which can grow later.
    pub fn empty_share(self: &Arc<Self>, client: Option<IpAddr>) -> Share {
        let client = client.map(|address| counted_address(address.to_canonical()));
        Share { shares: Arc::clone(self), client, amount: 0 }
    }

    fn add(&self, client: Option<IpAddr>, amount: usize, is_forced: bool) -> bool {
        let mut amounts = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.max.saturating_sub(amounts.all);
        // The rule applies to the amounts after the change, so a new client can't take all that is free
        // either.
        let is_fair = client.is_none_or(|client| {
            let held = amounts.by_client.get(&client).copied().unwrap_or(0);
            held.saturating_add(amount) <= free.saturating_sub(amount)
        });
        if !is_forced && amount > 0 && (amount > free || !is_fair) {
            return false;
        }
        amounts.all += amount;
        if let Some(client) = client.filter(|_| amount > 0) {
            *amounts.by_client.entry(client).or_default() += amount;
        }
        true
    }

    fn give_back(&self, client: Option<IpAddr>, amount: usize) {
        let mut amounts = self.held.lock().unwrap_or_else(PoisonError::into_inner);
        amounts.all -= amount;
        let Some(client) = client else { return };
        if let Some(held) = amounts.by_client.get_mut(&client) {
            *held -= amount;
            if *held == 0 {
                amounts.by_client.remove(&client);
            }
        }
    }
}

impl Share {
    /// Takes more for the same client. Returns false, and takes nothing, if that would be too much.
    pub fn grow(&mut self, amount: usize) -> bool {
        let is_taken = self.shares.add(self.client, amount, false);
        if is_taken {
            self.amount += amount;
        }
        is_taken
    }

    /// Takes more for the same client, even if it is too much, for memory that is already in use.
    pub fn force(&mut self, amount: usize) {
        self.shares.add(self.client, amount, true);
        self.amount += amount;
    }

    /// Gives the whole share back.
    pub fn clear(&mut self) {
        drop(self.split_off(self.amount));
    }

    /// Splits off a share of this amount. If this share holds less, the rest is taken even if it is too much,
    /// for memory that is already in use.
    pub fn split_off(&mut self, amount: usize) -> Self {
        let moved = amount.min(self.amount);
        if amount > moved {
            self.shares.add(self.client, amount - moved, true);
        }
        self.amount -= moved;
        Self { shares: Arc::clone(&self.shares), client: self.client, amount }
    }

    /// Returns the amount of the share.
    pub fn amount(&self) -> usize {
        self.amount
    }
}

impl Drop for Share {
    fn drop(&mut self) {
        if self.amount > 0 {
            self.shares.give_back(self.client, self.amount);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(number: u8) -> IpAddr {
        IpAddr::from([127, 0, 0, number])
    }

    /// Takes single units for a client until no more are given.
    fn take_all(shares: &Arc<Shares>, client: Option<IpAddr>) -> Vec<Share> {
        std::iter::from_fn(|| shares.take(client, 1)).collect()
    }

    #[test]
    fn one_client_gets_half_and_leaves_room_for_the_next() {
        let shares = Shares::new(100);
        let first = take_all(&shares, Some(client(1)));
        let second = take_all(&shares, Some(client(2)));
        assert_eq!((first.len(), second.len()), (50, 25));
        assert_eq!(take_all(&shares, None).len(), 25);
    }

    #[test]
    fn many_greedy_clients_leave_as_much_free_as_each_has() {
        let shares = Shares::new(1_000);
        let mut held: Vec<Vec<Share>> = (0..99).map(|_| Vec::new()).collect();
        // The clients take turns, so that none has an advantage.
        for _ in 0..1_000 {
            for (number, held) in (1..).zip(&mut held) {
                held.extend(shares.take(Some(client(number)), 1));
            }
        }
        assert!(held.iter().all(|held| (9..=11).contains(&held.len())));
        assert_eq!(take_all(&shares, Some(client(200))).len(), 5, "half of the ten free units");
    }

    #[test]
    fn large_parts_leave_room_for_small_ones() {
        let shares = Shares::new(1_000);
        let large: Vec<Share> =
            (1..=99).filter_map(|number| shares.take(Some(client(number)), 100)).collect();
        assert_eq!(large.len(), 9, "the last hundred units stay free");
        assert!(shares.take(Some(client(200)), 50).is_some());
    }

    #[test]
    fn a_dropped_share_is_given_back_and_its_client_is_forgotten() {
        let shares = Shares::new(100);
        let mut share = shares.take(Some(client(1)), 20).unwrap();
        assert!(share.grow(30) && !share.grow(1));
        let part = share.split_off(40);
        drop(share);
        assert_eq!((part.amount(), shares.held()), (40, 40));
        drop(part);
        assert_eq!(shares.held(), 0);
        assert!(shares.held.lock().unwrap().by_client.is_empty());
    }

    #[test]
    fn addresses_of_one_ipv6_network_count_as_one_client() {
        let shares = Shares::new(8);
        let address = |text: &str| Some(text.parse().unwrap());
        let _held = shares.take(address("2001:db8::1"), 4).unwrap();
        assert!(shares.take(address("2001:db8::2"), 1).is_none());
        assert!(shares.take(address("2001:db8:0:1::1"), 1).is_some());
        assert!(shares.take(address("::ffff:192.0.2.1"), 1).is_some());
    }
}
