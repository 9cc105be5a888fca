//! Cache of unwrapped keys. When it is full, it drops the least recently used key.

use std::num::NonZeroUsize;
use std::sync::{Mutex, MutexGuard, PoisonError};

use lru::LruCache;
use souk_eventsourcing::personal::PersonKey;
use souk_eventsourcing::{KeyRing, Person};

pub(crate) struct Cache {
    inner: Mutex<Inner>,
}

struct Inner {
    keys: LruCache<Person, PersonKey>,
    /// Number of erasures so far. A key that was read before an erasure is not cached after it.
    erasures: u64,
}

impl Cache {
    pub(crate) fn new(keys_max: usize) -> Self {
        let keys = LruCache::new(NonZeroUsize::new(keys_max).unwrap_or(NonZeroUsize::MIN));
        Self { inner: Mutex::new(Inner { keys, erasures: 0 }) }
    }

    /// Locks the cache. Every change is complete while the lock is held, so a poisoned lock is still usable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the cached keys, and the people without a cached key.
    pub(crate) fn get(&self, people: Vec<Person>) -> (KeyRing, Vec<Person>) {
        let mut inner = self.lock();
        let mut ring = KeyRing::default();
        let missing = people
            .into_iter()
            .filter(|person| match inner.keys.get(person) {
                Some(key) => {
                    ring.insert(person.clone(), key.clone());
                    false
                }
                None => true,
            })
            .collect();
        (ring, missing)
    }

    pub(crate) fn erasures(&self) -> u64 {
        self.lock().erasures
    }

    /// Caches keys, unless a person was erased since they were read. `erasures` is the number of erasures
    /// before the read.
    pub(crate) fn put(&self, erasures: u64, ring: &KeyRing) {
        let mut inner = self.lock();
        if inner.erasures == erasures {
            for (person, key) in ring.iter() {
                inner.keys.put(person.clone(), key.clone());
            }
        }
    }

    pub(crate) fn erase(&self, person: &Person) {
        let mut inner = self.lock();
        inner.erasures += 1;
        inner.keys.pop(person);
    }
}
