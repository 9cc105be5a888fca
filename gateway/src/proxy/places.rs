//! Limits of one upstream: places for requests in progress, and room for response bytes that wait for
//! clients.
//!
//! Client addresses divide both. One address can use at most one of [`UpstreamLimits::shares`] shares of
//! each, so a single client never has all of them. An IPv6 network (/64) counts as one address. People behind
//! one NAT use one share. It is large enough for many of them, because a request has its place only while the
//! upstream works on it. Behind a trusted proxy each client has a share of its own. Clients that a proxy hides
//! share one.
//!
//! When places run short, a response that its client has stopped reading is cut off and gives up its place.
//! The response that was left unread for the longest time is cut off first.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use souk_http::guard::counted_address;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::relayed::PendingResponse;
use super::upstream::UpstreamLimits;

/// Longest time that a request waits for a place.
const PLACE_WAIT_MAX: Duration = Duration::from_millis(500);
/// Time between two cuts of unread responses while a request waits for a place.
const CUT_EVERY: Duration = Duration::from_millis(50);
/// Time for which a response must be unread before it can be cut off.
const STALLED_AFTER: Duration = Duration::from_millis(250);

/// Client address that a request counts for. `None` if it is not known.
pub(super) type ClientAddress = Option<IpAddr>;

/// Places and room of one upstream.
pub(super) struct Places {
    free: Arc<Semaphore>,
    free_bytes: Arc<Semaphore>,
    unread_bytes_max: usize,
    requests_of_address: usize,
    bytes_of_address: usize,
    shares: Mutex<HashMap<ClientAddress, ClientShare>>,
    /// Responses that can be cut off, by the order of listing.
    cut_candidates: Mutex<BTreeMap<u64, (ClientAddress, Weak<PendingResponse>)>>,
}

/// Share of one client address.
struct ClientShare {
    /// Number of requests and responses that use the share.
    users: usize,
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// Use of a client's share by one request and its response. The share is removed with its last use.
pub(super) struct ShareUse {
    client: ClientAddress,
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
    all: Arc<Places>,
}

/// Permits that a request or a piece of a response holds: those of its address, and those of the whole
/// upstream.
pub(super) struct HeldPermits {
    of_address: OwnedSemaphorePermit,
    of_all: OwnedSemaphorePermit,
}

/// Reason why there is no place for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// The client address uses its whole share.
    AddressFull,
    /// The upstream has its largest number of requests.
    UpstreamFull,
}

/// Entry of a response in the list of those that can be cut off. Dropping it removes the response from the
/// list.
pub(super) struct CutCandidate {
    number: u64,
    all: Arc<Places>,
}

impl Places {
    pub(super) fn new(limits: UpstreamLimits) -> Arc<Self> {
        let of_address = |all: usize| all.div_ceil(limits.shares.max(1));
        Arc::new(Self {
            free: Arc::new(Semaphore::new(limits.requests_max)),
            free_bytes: Arc::new(Semaphore::new(limits.unread_bytes_max)),
            unread_bytes_max: limits.unread_bytes_max,
            requests_of_address: of_address(limits.requests_max),
            bytes_of_address: of_address(limits.unread_bytes_max),
            shares: Mutex::default(),
            cut_candidates: Mutex::default(),
        })
    }

    /// Returns the largest number of requests in progress of one client address.
    pub(super) fn requests_of_address(&self) -> usize {
        self.requests_of_address
    }

    /// Returns the number of response bytes that wait for clients now.
    pub(super) fn unread_bytes(&self) -> usize {
        self.unread_bytes_max - self.free_bytes.available_permits()
    }

    /// Begins to use the share of a client address.
    pub(super) fn use_share(self: &Arc<Self>, client: ClientAddress) -> ShareUse {
        let client = client.map(counted_address);
        let mut shares = locked(&self.shares);
        let share = shares.entry(client).or_insert_with(|| ClientShare {
            users: 0,
            places: Arc::new(Semaphore::new(self.requests_of_address)),
            bytes: Arc::new(Semaphore::new(self.bytes_of_address)),
        });
        share.users += 1;
        let places = Arc::clone(&share.places);
        let bytes = Arc::clone(&share.bytes);
        ShareUse { client, places, bytes, all: Arc::clone(self) }
    }

    /// Takes one place, waiting until `end` at most. While it waits, unread responses are cut off: those of
    /// one client address, or of any if `of` is `None`.
    async fn acquire(
        &self,
        places: &Arc<Semaphore>,
        of: Option<ClientAddress>,
        end: Instant,
    ) -> Option<OwnedSemaphorePermit> {
        let mut place = pin!(Arc::clone(places).acquire_owned());
        loop {
            let until = end.min(Instant::now() + CUT_EVERY);
            match timeout_at(until, &mut place).await {
                // The semaphore is never closed.
                Ok(place) => return place.ok(),
                Err(_) if until == end => return None,
                Err(_) => self.cut_unread(of),
            }
        }
    }

    /// Cuts off the response that was left unread for the longest time: of one client address, or of any if
    /// `of` is `None`.
    fn cut_unread(&self, of: Option<ClientAddress>) {
        let now = Instant::now();
        let longest = {
            let candidates = locked(&self.cut_candidates);
            let responses = candidates.values().filter(|(client, _)| of.is_none_or(|of| of == *client));
            let stalls = responses.filter_map(|(_, response)| {
                let response = response.upgrade()?;
                Some((response.unread_since()?, response))
            });
            stalls.min_by_key(|(since, _)| *since)
        };
        if let Some((_, response)) = longest.filter(|(since, _)| now.duration_since(*since) >= STALLED_AFTER)
        {
            response.cut();
        }
    }
}

impl ShareUse {
    /// Waits for a place, for [`PLACE_WAIT_MAX`] at most.
    pub(super) async fn place(&self) -> Result<HeldPermits, NoPlace> {
        let end = Instant::now() + PLACE_WAIT_MAX;
        let of_address = self.all.acquire(&self.places, Some(self.client), end).await;
        let of_address = of_address.ok_or(NoPlace::AddressFull)?;
        let of_all = self.all.acquire(&self.all.free, None, end).await.ok_or(NoPlace::UpstreamFull)?;
        Ok(HeldPermits { of_address, of_all })
    }

    /// Takes room for `count` bytes that wait for the client. Returns `None` if there is no room now.
    pub(super) fn bytes(&self, count: usize) -> Option<HeldPermits> {
        let count = u32::try_from(count).ok()?;
        let of_address = Arc::clone(&self.bytes).try_acquire_many_owned(count).ok()?;
        let of_all = Arc::clone(&self.all.free_bytes).try_acquire_many_owned(count).ok()?;
        Some(HeldPermits { of_address, of_all })
    }

    /// Adds a response to the list of those that can be cut off.
    pub(super) fn list_for_cutting(&self, response: &Arc<PendingResponse>) -> CutCandidate {
        let mut candidates = locked(&self.all.cut_candidates);
        let number = candidates.last_key_value().map_or(0, |(last, _)| last + 1);
        candidates.insert(number, (self.client, Arc::downgrade(response)));
        CutCandidate { number, all: Arc::clone(&self.all) }
    }
}

impl HeldPermits {
    /// Keeps `count` permits and gives the rest back.
    pub(super) fn keep(&mut self, count: usize) {
        for permit in [&mut self.of_address, &mut self.of_all] {
            let surplus = permit.num_permits().saturating_sub(count);
            drop(permit.split(surplus));
        }
    }
}

impl Drop for ShareUse {
    fn drop(&mut self) {
        let mut shares = locked(&self.all.shares);
        if let Some(share) = shares.get_mut(&self.client) {
            share.users -= 1;
            if share.users == 0 {
                shares.remove(&self.client);
            }
        }
    }
}

impl Drop for CutCandidate {
    fn drop(&mut self) {
        locked(&self.all.cut_candidates).remove(&self.number);
    }
}

/// Locks a table. It is consistent at every moment, so it stays usable after a panic of another thread.
fn locked<T>(table: &Mutex<T>) -> MutexGuard<'_, T> {
    table.lock().unwrap_or_else(PoisonError::into_inner)
}
