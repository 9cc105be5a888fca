//! The newest events in memory, for readers near the head.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use souk_eventsourcing::{Filter, Page, Position, RecordedEvent};

/// Events kept.
const EVENTS_MAX: usize = 16_384;
/// Bytes of payloads kept.
const BYTES_MAX: usize = 32 * 1024 * 1024;

/// The tail of the log, contiguous up to its head.
pub(crate) struct Ring {
    tail: RwLock<Tail>,
}

struct Tail {
    events: VecDeque<RecordedEvent>,
    bytes: usize,
    /// The position before the first event that is kept.
    before: Position,
}

impl Ring {
    /// An empty ring at the head of a log.
    pub(crate) fn new(head: Position) -> Self {
        Self { tail: RwLock::new(Tail { events: VecDeque::new(), bytes: 0, before: head }) }
    }

    /// Takes committed events in, in order of position.
    pub(crate) fn extend(&self, events: impl Iterator<Item = RecordedEvent>) {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            tail.bytes += event.event.data.len();
            tail.events.push_back(event);
        }
        while tail.events.len() > EVENTS_MAX || tail.bytes > BYTES_MAX {
            let Some(oldest) = tail.events.pop_front() else { break };
            tail.bytes -= oldest.event.data.len();
            tail.before = oldest.position;
        }
    }

    /// A page after a position; `None` when that is too long ago.
    pub(crate) fn read(&self, after: Position, limit: usize, filter: &Filter) -> Option<Page> {
        let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
        if after < tail.before {
            return None;
        }
        let start = usize::try_from(after.0 - tail.before.0).ok()?.min(tail.events.len());
        let looked_at = tail.events.range(start..tail.events.len().min(start.saturating_add(limit)));
        let reached = looked_at.clone().last().map_or(after, |event| event.position);
        Some(Page { events: looked_at.filter(|event| filter.takes(event)).cloned().collect(), reached })
    }
}
