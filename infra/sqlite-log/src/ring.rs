//! A ring buffer of the newest events, for readers near the head.

use std::collections::VecDeque;
use std::sync::{PoisonError, RwLock};

use souk_eventsourcing::{Filter, Page, Position, RecordedEvent};

use crate::Options;

/// The newest events of the log, without a gap up to its head.
pub(crate) struct Ring {
    tail: RwLock<Tail>,
    events_max: usize,
    bytes_max: usize,
}

struct Tail {
    events: VecDeque<RecordedEvent>,
    bytes: usize,
    /// Position just before the oldest event in the ring.
    before: Position,
}

impl Ring {
    /// Creates an empty ring for a log with this head.
    pub(crate) fn new(head: Position, options: &Options) -> Self {
        Self {
            tail: RwLock::new(Tail { events: VecDeque::new(), bytes: 0, before: head }),
            events_max: options.tail_events_max,
            bytes_max: options.tail_bytes_max,
        }
    }

    /// Adds committed events, in the order of their positions. Drops the oldest events when a limit is
    /// reached.
    pub(crate) fn extend(&self, events: impl Iterator<Item = RecordedEvent>) {
        let mut tail = self.tail.write().unwrap_or_else(PoisonError::into_inner);
        for event in events {
            tail.bytes += event.event.data.len();
            tail.events.push_back(event);
        }
        while tail.events.len() > self.events_max || tail.bytes > self.bytes_max {
            let Some(oldest) = tail.events.pop_front() else { break };
            tail.bytes -= oldest.event.data.len();
            tail.before = oldest.position;
        }
    }

    /// Returns a page of events after a position. Returns `None` if some of these events are no longer in the
    /// ring.
    pub(crate) fn read(&self, after: Position, limit: usize, filter: &Filter) -> Option<Page> {
        let tail = self.tail.read().unwrap_or_else(PoisonError::into_inner);
        if after < tail.before {
            return None;
        }
        let start = usize::try_from(after.0 - tail.before.0).ok()?.min(tail.events.len());
        let range = tail.events.range(start..tail.events.len().min(start.saturating_add(limit)));
        let reached = range.clone().last().map_or(after, |event| event.position);
        Some(Page { events: range.filter(|event| filter.matches(event)).cloned().collect(), reached })
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use jiff::Timestamp;
    use souk_eventsourcing::envelope::Origin;
    use souk_eventsourcing::{Actor, CorrelationId, Revision, StreamName};
    use uuid::Uuid;

    use super::*;

    fn events(positions: std::ops::RangeInclusive<u64>, bytes: usize) -> impl Iterator<Item = RecordedEvent> {
        let correlation = CorrelationId::from(Uuid::from_u128(1));
        let origin = Origin::new(Uuid::from_u128(1), Actor::new("test", "x"), correlation);
        let stream = StreamName::new("thing", "a");
        let data = Bytes::from(vec![b' '; bytes]);
        positions.map(move |position| RecordedEvent {
            position: Position(position),
            stream: stream.clone(),
            revision: Revision(position),
            event: origin.raw_envelope(&stream, 0, "thing.happened", 1, data.clone(), Timestamp::UNIX_EPOCH),
        })
    }

    fn positions(page: &Page) -> Vec<u64> {
        page.events.iter().map(|event| event.position.0).collect()
    }

    #[test]
    fn only_events_after_the_initial_head_are_served() {
        let ring = Ring::new(Position(10), &Options::default());
        ring.extend(events(11..=13, 1));
        assert!(ring.read(Position(9), 10, &Filter::all()).is_none());
        let page = ring.read(Position(10), 2, &Filter::all()).unwrap();
        assert_eq!((positions(&page), page.reached), (vec![11, 12], Position(12)));
        let page = ring.read(Position(13), 2, &Filter::all()).unwrap();
        assert_eq!((positions(&page), page.reached), (vec![], Position(13)));
    }

    #[test]
    fn the_oldest_events_are_dropped_at_either_limit() {
        let options = Options { tail_events_max: 10, tail_bytes_max: 100, ..Options::default() };
        let ring = Ring::new(Position::START, &options);
        ring.extend(events(1..=15, 1));
        assert!(ring.read(Position(4), 1, &Filter::all()).is_none());
        assert_eq!(positions(&ring.read(Position(5), 1, &Filter::all()).unwrap()), [6]);
        ring.extend(events(16..=17, 50));
        assert_eq!(positions(&ring.read(Position(15), 9, &Filter::all()).unwrap()), [16, 17]);
        assert!(ring.read(Position(14), 1, &Filter::all()).is_none());
    }
}
