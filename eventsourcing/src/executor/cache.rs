//! Folded states of streams at rest, the least recently used of which go first.

use lru::LruCache;

use crate::decider::Decider;
use crate::id::StreamName;

use super::Folded;

/// Parts that a state weighs besides its own: its name, its place in the cache, and its own fields.
pub(super) const STATE_PARTS: usize = 4;

/// States of up to so many parts in all. The state that was put last stays, however large it is: a stock with more open
/// reservations would be folded from its first event at every command.
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
        if let Some(before) = self.states.put(stream, folded) {
            self.parts -= parts(&before);
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
