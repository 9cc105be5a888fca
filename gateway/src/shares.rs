//! A resource that clients share: none may hold more of it than it leaves free.
//!
//! One client alone gets half; `n` clients that take all they can get an equal part each, and what is left
//! free for the next client is as large as each of these parts. (The rule is the dynamic threshold of
//! Choudhury and Hahne, IEEE/ACM Transactions on Networking 6(2), 1998, with a factor of one.)

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex, PoisonError};

use souk_http::guard::counted;

/// A resource of which there is a fixed amount.
#[derive(Debug)]
pub struct Shares {
    max: usize,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    all: usize,
    by_client: HashMap<IpAddr, usize>,
}

/// A part of the resource that one client holds; dropping it gives it back.
#[derive(Debug)]
pub struct Share {
    shares: Arc<Shares>,
    client: Option<IpAddr>,
    amount: usize,
}

impl Shares {
    /// A resource of this amount, all of it free.
    pub fn new(max: usize) -> Arc<Self> {
        Arc::new(Self { max, taken: Mutex::default() })
    }

    /// The whole amount.
    pub fn max(&self) -> usize {
        self.max
    }

    /// The amount that is held now.
    pub fn held(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).all
    }

    /// Takes a part for a client address; none when the client would hold more than it leaves free. A
    /// client without an address is held to the whole amount alone. Networks of IPv6 count as one client.
    pub fn take(self: &Arc<Self>, client: Option<IpAddr>, amount: usize) -> Option<Share> {
        let mut share = self.nothing(client);
        share.grow(amount).then_some(share)
    }

    /// An empty part, to grow later.
    pub fn nothing(self: &Arc<Self>, client: Option<IpAddr>) -> Share {
        let client = client.map(|address| counted(address.to_canonical()));
        Share { shares: Arc::clone(self), client, amount: 0 }
    }

    fn add(&self, client: Option<IpAddr>, amount: usize, is_forced: bool) -> bool {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let free = self.max.saturating_sub(taken.all);
        // Measured after the taking: a client that comes new may not take all that is left either.
        let is_fair = client.is_none_or(|client| {
            let held = taken.by_client.get(&client).copied().unwrap_or(0);
            held.saturating_add(amount) <= free.saturating_sub(amount)
        });
        if !is_forced && amount > 0 && (amount > free || !is_fair) {
            return false;
        }
        taken.all += amount;
        if let Some(client) = client.filter(|_| amount > 0) {
            *taken.by_client.entry(client).or_default() += amount;
        }
        true
    }

    fn give_back(&self, client: Option<IpAddr>, amount: usize) {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.all -= amount;
        let Some(client) = client else { return };
        if let Some(held) = taken.by_client.get_mut(&client) {
            *held -= amount;
            if *held == 0 {
                taken.by_client.remove(&client);
            }
        }
    }
}

impl Share {
    /// Takes more for the same client; false, and nothing more is taken, when that would be too much.
    pub fn grow(&mut self, amount: usize) -> bool {
        let is_given = self.shares.add(self.client, amount, false);
        if is_given {
            self.amount += amount;
        }
        is_given
    }

    /// Takes more for the same client, whether or not it is too much: for what is there already.
    pub fn force(&mut self, amount: usize) {
        self.shares.add(self.client, amount, true);
        self.amount += amount;
    }

    /// Gives all of it back.
    pub fn clear(&mut self) {
        drop(self.cut_off(self.amount));
    }

    /// Cuts a part off. What is missing to it is counted though it may be too much: it is there already.
    pub fn cut_off(&mut self, amount: usize) -> Self {
        let kept = amount.min(self.amount);
        if amount > kept {
            self.shares.add(self.client, amount - kept, true);
        }
        self.amount -= kept;
        Self { shares: Arc::clone(&self.shares), client: self.client, amount }
    }

    /// The amount that is held.
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

    /// Takes as much as a client gets, one by one.
    fn all_of(shares: &Arc<Shares>, client: Option<IpAddr>) -> Vec<Share> {
        std::iter::from_fn(|| shares.take(client, 1)).collect()
    }

    #[test]
    fn one_client_gets_half_and_leaves_room_for_the_next() {
        let shares = Shares::new(100);
        let first = all_of(&shares, Some(client(1)));
        let second = all_of(&shares, Some(client(2)));
        assert_eq!((first.len(), second.len()), (50, 25));
        assert_eq!(all_of(&shares, None).len(), 25);
    }

    #[test]
    fn many_clients_that_take_all_they_can_leave_as_much_as_each_has() {
        let shares = Shares::new(1_000);
        let mut held: Vec<Vec<Share>> = (0..99).map(|_| Vec::new()).collect();
        // In turns, so that no client comes first.
        for _ in 0..1_000 {
            for (number, held) in (1..).zip(&mut held) {
                held.extend(shares.take(Some(client(number)), 1));
            }
        }
        assert!(held.iter().all(|held| (9..=11).contains(&held.len())));
        assert_eq!(all_of(&shares, Some(client(200))).len(), 5, "half of the ten that are free");
    }

    #[test]
    fn large_parts_leave_room_for_small_ones() {
        let shares = Shares::new(1_000);
        let large: Vec<Share> =
            (1..=99).filter_map(|number| shares.take(Some(client(number)), 100)).collect();
        assert_eq!(large.len(), 9, "the last hundred is left");
        assert!(shares.take(Some(client(200)), 50).is_some());
    }

    #[test]
    fn a_share_comes_back_when_it_is_dropped_and_its_client_is_forgotten() {
        let shares = Shares::new(100);
        let mut share = shares.take(Some(client(1)), 20).unwrap();
        assert!(share.grow(30) && !share.grow(1));
        let part = share.cut_off(40);
        drop(share);
        assert_eq!((part.amount(), shares.held()), (40, 40));
        drop(part);
        assert_eq!(shares.held(), 0);
        assert!(shares.taken.lock().unwrap().by_client.is_empty());
    }

    #[test]
    fn addresses_of_one_network_of_ipv6_count_as_one_client() {
        let shares = Shares::new(8);
        let address = |text: &str| Some(text.parse().unwrap());
        let _held = shares.take(address("2001:db8::1"), 4).unwrap();
        assert!(shares.take(address("2001:db8::2"), 1).is_none());
        assert!(shares.take(address("2001:db8:0:1::1"), 1).is_some());
        assert!(shares.take(address("::ffff:192.0.2.1"), 1).is_some());
    }
}
