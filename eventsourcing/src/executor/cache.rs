//! Folded states of streams at rest, the least recently used of which go first.

use lru::LruCache;

use crate::decider::Decider;
use crate::id::StreamName;

use super::Folded;

/// States of up to so many parts in all.
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
        self.parts -= D::parts(&folded.state);
        Some(folded)
    }

    pub(super) fn put(&mut self, stream: StreamName, folded: Folded<D>) {
        self.parts += D::parts(&folded.state);
        if let Some(before) = self.states.put(stream, folded) {
            self.parts -= D::parts(&before.state);
        }
        while self.parts > self.parts_max {
            let Some((_, oldest)) = self.states.pop_lru() else { break };
            self.parts -= D::parts(&oldest.state);
        }
    }
}
