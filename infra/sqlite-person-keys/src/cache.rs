//! Keys in memory, the least recently used of which go first.

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
    /// Erasures so far: what was read before one is not kept after it.
    erasures: u64,
}

impl Cache {
    pub(crate) fn new(keys_max: usize) -> Self {
        let keys = LruCache::new(NonZeroUsize::new(keys_max).unwrap_or(NonZeroUsize::MIN));
        Self { inner: Mutex::new(Inner { keys, erasures: 0 }) }
    }

    /// A cache is whole at every moment, so a panic elsewhere leaves it usable.
    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The keys that are here, and the people whose keys aren't.
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

    /// Keeps keys that were read when there had been so many erasures.
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
