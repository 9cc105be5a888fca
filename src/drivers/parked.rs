//! Requests of operators about parked entities, and reads of the log for them. Read models and processes
//! share this code.

use std::collections::BTreeSet;

use souk_eventsourcing::parking::{Entity, Parked, Skip};
use souk_eventsourcing::{EventStore, Filter, Position, RecordedEvent, Revision, StoreError, StreamName};
use tokio::sync::oneshot;

use souk_domain::skips::{Skips, SkipsEvent};

/// Maximum number of events in one read of the log.
const PAGE_EVENTS_MAX: usize = 1_000;
/// Maximum number of events waiting for an entity that is retried. With more events, a rebuild is faster.
pub const WAITING_EVENTS_MAX: usize = 100_000;

/// Reason why a parked entity is not released.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RetryError {
    /// No entity with this name is parked.
    #[error("no parked entity is named `{0}`")]
    NotParked(String),
    /// The entity still can't handle an event.
    #[error("{0}")]
    StillParked(String),
    /// Too many events are waiting for the entity.
    #[error(
        "{0} events are waiting for the entity, a retry handles at most {WAITING_EVENTS_MAX}: rebuild the read model"
    )]
    TooMany(usize),
    /// The log or the database failed.
    #[error("{0}")]
    Failed(String),
}

impl RetryError {
    /// Wraps an error of the log or the database.
    pub fn failed(error: impl std::fmt::Display) -> Self {
        Self::Failed(error.to_string())
    }
}

/// Request of an operator about a parked entity.
pub enum ParkedRequest {
    /// Finds the parked entity with a name.
    Find(String, oneshot::Sender<Option<Parked>>),
    /// Retries the parked entity with a name, after recording an optional skip. The result is the number of
    /// events that were waiting.
    Retry(String, Option<Skip>, oneshot::Sender<Result<usize, RetryError>>),
}

/// Returns the entities that a name may mean: a key, and a stream if the name is a valid stream name.
pub fn entities(name: &str) -> impl Iterator<Item = Entity> {
    let stream = StreamName::parse(name).ok().map(Entity::Stream);
    std::iter::once(Entity::Key(name.to_owned())).chain(stream)
}

/// Reads the skips that operators have recorded for a read model or process.
pub async fn skips_of(store: &dyn EventStore, owner: &str) -> Result<Vec<Skip>, StoreError> {
    let mut skips = Vec::new();
    let mut from = Revision::FIRST;
    loop {
        let page = store.read_stream(&Skips::stream(owner), from, PAGE_EVENTS_MAX).await?;
        let Some(last) = page.last() else { return Ok(skips) };
        from = last.revision.next();
        for recorded in &page {
            if recorded.is_noted() {
                continue;
            }
            let event: SkipsEvent =
                recorded.decode().map_err(|error| StoreError::Unavailable(error.to_string()))?;
            let SkipsEvent::Skipped(event) = event;
            skips.push(event.skip);
        }
    }
}

/// Returns the keys that the events of a stream before a revision affect, each key once.
pub async fn affected_keys(
    store: &dyn EventStore,
    stream: &StreamName,
    before: Revision,
    mut keys: impl FnMut(&RecordedEvent) -> Vec<String>,
) -> Result<Vec<String>, StoreError> {
    let mut affected = BTreeSet::new();
    let mut from = Revision::FIRST;
    while from < before {
        let page = store.read_stream(stream, from, PAGE_EVENTS_MAX).await?;
        let Some(last) = page.last() else { break };
        from = last.revision.next();
        affected.extend(page.iter().filter(|event| event.revision < before).flat_map(&mut keys));
    }
    Ok(affected.into_iter().collect())
}

/// Finds the first event in a range of positions by which another stream affected one of these keys. Returns
/// the key and the event.
pub async fn first_event_affecting(
    store: &dyn EventStore,
    stream: &StreamName,
    keys: &BTreeSet<String>,
    (after, to): (Position, Position),
    mut touches: impl FnMut(&RecordedEvent) -> Vec<String>,
) -> Result<Option<(String, RecordedEvent)>, StoreError> {
    let mut read = after;
    while read < to {
        let page = store.read_all(read, PAGE_EVENTS_MAX, &Filter::all()).await?;
        if page.reached <= read {
            break;
        }
        read = page.reached;
        for event in page.events {
            if event.stream != *stream
                && event.position <= to
                && let Some(key) = touches(&event).into_iter().find(|key| keys.contains(key))
            {
                return Ok(Some((key, event)));
            }
        }
    }
    Ok(None)
}

/// Reads the events at these positions, in order.
pub async fn events_at(
    store: &dyn EventStore,
    positions: &[Position],
) -> Result<Vec<RecordedEvent>, StoreError> {
    let mut events = Vec::with_capacity(positions.len());
    let mut missing = positions.iter().copied().peekable();
    let mut after = Position::START;
    while let Some(next) = missing.peek().copied() {
        // Positions far apart are read one by one. Positions close together are read as a page.
        let gap = missing.clone().nth(1).map_or(1, |second| second.0 - next.0);
        let limit = if gap > 100 { 1 } else { PAGE_EVENTS_MAX };
        after = after.max(Position(next.0.saturating_sub(1)));
        let page = store.read_all(after, limit, &Filter::all()).await?;
        if page.reached <= after {
            return Err(StoreError::Damaged(format!("there is no event at position {next}")));
        }
        after = page.reached;
        for event in page.events {
            if missing.peek() == Some(&event.position) {
                missing.next();
                events.push(event);
            }
        }
    }
    Ok(events)
}
