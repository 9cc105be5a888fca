//! Cache of the states of aggregates that have no command in progress.
//!
//! Invariant: the states in the cache have at most the given number of parts in total. The least recently
//! used states are dropped first. The state that was added last is always kept, even if it alone exceeds the
//! limit. Without this rule, a very large state would be computed again from its first event for every
//! command.

use lru::LruCache;

use crate::decider::Decider;
use crate::id::StreamName;

use super::Folded;

/// Memory cost of a cached state in addition to [`Decider::parts`]: its stream name and its cache entry.
pub(super) const STATE_PARTS: usize = 4;

pub(super) struct Cache<D: Decider> {
    states: LruCache<StreamName, Folded<D>>,
    parts: usize,
    parts_max: usize,
}

impl<D: Decider> Cache<D> {
    pub(super) fn new(parts_max: usize) -> Self {
        Self { states: LruCache::unbounded(), parts: 0, parts_max }
    }

    pub(super) fn get(&mut self, stream: &StreamName) -> Option<&Folded<D>> {
        self.states.get(stream)
    }

    pub(super) fn pop(&mut self, stream: &StreamName) -> Option<Folded<D>> {
        let folded = self.states.pop(stream)?;
        self.parts -= parts(&folded);
        Some(folded)
    }

    pub(super) fn put(&mut self, stream: StreamName, folded: Folded<D>) {
        self.parts += parts(&folded);
        if let Some(replaced) = self.states.put(stream, folded) {
            self.parts -= parts(&replaced);
        }
        while self.parts > self.parts_max && self.states.len() > 1 {
            let Some((_, oldest)) = self.states.pop_lru() else { break };
            self.parts -= parts(&oldest);
        }
    }
}

fn parts<D: Decider>(folded: &Folded<D>) -> usize {
    STATE_PARTS + D::parts(&folded.state)
}
