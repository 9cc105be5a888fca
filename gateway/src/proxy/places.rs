//! Places of an upstream: how many requests it has at once, and how many bytes of its answers wait for clients.
//!
//! Both are shared by client address. One address has at most one part of [`Patience::parts`] of each, so a single
//! client never has all. An IPv6 client is counted by its network. People behind one NAT share a part: it is large
//! enough for many of them, since a request has its place for as long as the upstream works on it and no longer.
//! Behind a trusted proxy each client has a part of its own; clients that a proxy does not name share one.
//!
//! When places run short, an answer that its client has stopped reading gives up its place, the longest unread
//! first.

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::pin::pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use souk_http::guard::counted;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::{Instant, timeout_at};

use super::relayed::Unread;
use super::upstream::Patience;

/// The longest wait of a request for a place.
const PLACE_MAX: Duration = Duration::from_millis(500);
/// The time between two cuts of unread answers while a request waits for a place.
const CUT_EVERY: Duration = Duration::from_millis(50);
/// An answer that nobody reads for this long gives up its place when places run short.
const STALLED_AFTER: Duration = Duration::from_millis(250);

/// The address that a request is counted under; none where it is not known.
pub(super) type Client = Option<IpAddr>;

/// Places of one upstream, and bytes of answers that wait for clients.
pub(super) struct Places {
    free: Arc<Semaphore>,
    room: Arc<Semaphore>,
    unread_bytes_max: usize,
    at_once_of_address: usize,
    bytes_of_address: usize,
    parts: Mutex<HashMap<Client, Part>>,
    unread: Mutex<BTreeMap<u64, (Client, Weak<Unread>)>>,
}

/// The part of one client address, and how many requests and answers use it.
struct Part {
    users: usize,
    places: Arc<Semaphore>,
    bytes: Arc<Semaphore>,
}

/// A request or an answer of a client address. Its part is forgotten with the last of them.
pub(super) struct Visit {
    client: Client,
    of_client: (Arc<Semaphore>, Arc<Semaphore>),
    all: Arc<Places>,
}

/// One request that the upstream has, or bytes of an answer that wait: of the address and of all.
pub(super) struct Held {
    of_address: OwnedSemaphorePermit,
    of_all: OwnedSemaphorePermit,
}

/// Why there is no place for a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoPlace {
    /// The client address has its whole part.
    OfAddress,
    /// The upstream has as many requests as it may have.
    OfAll,
}

/// An answer in the list of those that are cut when places run short. Leaves the list when dropped.
pub(super) struct Listed {
    number: u64,
    all: Arc<Places>,
}

impl Places {
    pub(super) fn new(patience: Patience) -> Arc<Self> {
        let of_address = |all: usize| all.div_ceil(patience.parts.max(1));
        Arc::new(Self {
            free: Arc::new(Semaphore::new(patience.at_once_max)),
            room: Arc::new(Semaphore::new(patience.unread_bytes_max)),
            unread_bytes_max: patience.unread_bytes_max,
            at_once_of_address: of_address(patience.at_once_max),
            bytes_of_address: of_address(patience.unread_bytes_max),
            parts: Mutex::default(),
            unread: Mutex::default(),
        })
    }

    /// Requests of one client address at once.
    pub(super) fn at_once_of_address(&self) -> usize {
        self.at_once_of_address
    }

    /// Bytes that wait for clients now.
    pub(super) fn unread_bytes(&self) -> usize {
        self.unread_bytes_max - self.room.available_permits()
    }

    /// Begins a visit of a client address.
    pub(super) fn visit(self: &Arc<Self>, client: Client) -> Visit {
        let client = client.map(counted);
        let mut parts = locked(&self.parts);
        let part = parts.entry(client).or_insert_with(|| Part {
            users: 0,
            places: Arc::new(Semaphore::new(self.at_once_of_address)),
            bytes: Arc::new(Semaphore::new(self.bytes_of_address)),
        });
        part.users += 1;
        let of_client = (Arc::clone(&part.places), Arc::clone(&part.bytes));
        Visit { client, of_client, all: Arc::clone(self) }
    }

    /// Takes one place until `end`. While it waits, answers that nobody reads are cut, of one client address or of
    /// any.
    async fn acquire(
        &self,
        places: &Arc<Semaphore>,
        of: Option<Client>,
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

    /// Cuts the answer that its client has left unread for longest, of one client address or of any.
    fn cut_unread(&self, of: Option<Client>) {
        let now = Instant::now();
        let longest = {
            let unread = locked(&self.unread);
            let answers = unread.values().filter(|(client, _)| of.is_none_or(|of| of == *client));
            let stalls = answers.filter_map(|(_, answer)| {
                let answer = answer.upgrade()?;
                Some((answer.unread_since()?, answer))
            });
            stalls.min_by_key(|(since, _)| *since)
        };
        if let Some((_, answer)) = longest.filter(|(since, _)| now.duration_since(*since) >= STALLED_AFTER) {
            answer.cut();
        }
    }
}

impl Visit {
    /// Waits for a place, for [`PLACE_MAX`] at most.
    pub(super) async fn place(&self) -> Result<Held, NoPlace> {
        let end = Instant::now() + PLACE_MAX;
        let of_address = self.all.acquire(&self.of_client.0, Some(self.client), end).await;
        let of_address = of_address.ok_or(NoPlace::OfAddress)?;
        let of_all = self.all.acquire(&self.all.free, None, end).await.ok_or(NoPlace::OfAll)?;
        Ok(Held { of_address, of_all })
    }

    /// Takes room for so many bytes that wait for the client, if there is room now.
    pub(super) fn bytes(&self, count: usize) -> Option<Held> {
        let count = u32::try_from(count).ok()?;
        let of_address = Arc::clone(&self.of_client.1).try_acquire_many_owned(count).ok()?;
        let of_all = Arc::clone(&self.all.room).try_acquire_many_owned(count).ok()?;
        Some(Held { of_address, of_all })
    }

    /// Lists an answer among those that are cut when places run short.
    pub(super) fn list(&self, answer: &Arc<Unread>) -> Listed {
        let mut unread = locked(&self.all.unread);
        let number = unread.last_key_value().map_or(0, |(last, _)| last + 1);
        unread.insert(number, (self.client, Arc::downgrade(answer)));
        Listed { number, all: Arc::clone(&self.all) }
    }
}

impl Held {
    /// Gives back all but so many.
    pub(super) fn keep(&mut self, count: usize) {
        for permit in [&mut self.of_address, &mut self.of_all] {
            let surplus = permit.num_permits().saturating_sub(count);
            drop(permit.split(surplus));
        }
    }
}

impl Drop for Visit {
    fn drop(&mut self) {
        let mut parts = locked(&self.all.parts);
        if let Some(part) = parts.get_mut(&self.client) {
            part.users -= 1;
            if part.users == 0 {
                parts.remove(&self.client);
            }
        }
    }
}

impl Drop for Listed {
    fn drop(&mut self) {
        locked(&self.all.unread).remove(&self.number);
    }
}

/// Locks a table, which is whole at every moment: a panic elsewhere leaves it usable.
fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
