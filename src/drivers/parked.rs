//! What operators ask of whoever has parked something, and of the read models: found, tried again,
//! switched. One way for read models and processes.

use std::collections::BTreeSet;

use souk_eventsourcing::parking::{Entity, Parked, Skip};
use souk_eventsourcing::{EventStore, Filter, Position, RecordedEvent, Revision, StoreError, StreamName};
use tokio::sync::oneshot;

use souk_domain::skips::{Skips, SkipsEvent};

/// Events that are read at once.
const PAGE_EVENTS_MAX: usize = 1_000;
/// Events that may wait for an entity that is tried again; behind so many a rebuild is quicker.
pub const WAITING_EVENTS_MAX: usize = 100_000;

/// Why an entity is not released.
#[derive(Debug, Clone, thiserror::Error)]
pub enum RetryError {
    /// Nothing is parked under this name.
    #[error("nothing is parked as `{0}`")]
    NotParked(String),
    /// It still can't take an event.
    #[error("{0}")]
    StillParked(String),
    /// So much waits that it is better built anew.
    #[error("{0} events wait for it, at most {WAITING_EVENTS_MAX} are tried again: rebuild the read model")]
    TooMany(usize),
    /// Something else failed.
    #[error("{0}")]
    Failed(String),
}

/// Something an operator asks for.
pub enum Order {
    /// What is parked under a name.
    Find(String, oneshot::Sender<Option<Parked>>),
    /// The entity is tried again, after what is to be skipped was noted. Answers how many events waited.
    Retry(String, Option<Skip>, oneshot::Sender<Result<usize, RetryError>>),
}

/// What a name may mean.
pub fn entities(name: &str) -> impl Iterator<Item = Entity> {
    let stream = StreamName::parse(name).ok().map(Entity::Stream);
    std::iter::once(Entity::Key(name.to_owned())).chain(stream)
}

/// What a read model or process skips by decision.
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

/// What the events of a stream before a revision touch, each once.
pub async fn touched(
    store: &dyn EventStore,
    stream: &StreamName,
    before: Revision,
    mut keys: impl FnMut(&RecordedEvent) -> Vec<String>,
) -> Result<Vec<String>, StoreError> {
    let mut touched = BTreeSet::new();
    let mut from = Revision::FIRST;
    while from < before {
        let page = store.read_stream(stream, from, PAGE_EVENTS_MAX).await?;
        let Some(last) = page.last() else { break };
        from = last.revision.next();
        touched.extend(page.iter().filter(|event| event.revision < before).flat_map(&mut keys));
    }
    Ok(touched.into_iter().collect())
}

/// The first event behind a position by which another stream touched one of these keys, with that key.
pub async fn touched_since(
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

/// The events at these positions, in order.
pub async fn at(store: &dyn EventStore, positions: &[Position]) -> Result<Vec<RecordedEvent>, StoreError> {
    let mut events = Vec::with_capacity(positions.len());
    let mut wanted = positions.iter().copied().peekable();
    let mut after = Position::START;
    while let Some(next) = wanted.peek().copied() {
        // Where they lie apart each is read by itself, else a page holds many.
        let gap = wanted.clone().nth(1).map_or(1, |second| second.0 - next.0);
        let limit = if gap > 100 { 1 } else { PAGE_EVENTS_MAX };
        after = after.max(Position(next.0.saturating_sub(1)));
        let page = store.read_all(after, limit, &Filter::all()).await?;
        if page.reached <= after {
            return Err(StoreError::Damaged(format!("nothing stands at position {next}")));
        }
        after = page.reached;
        for event in page.events {
            if wanted.peek() == Some(&event.position) {
                wanted.next();
                events.push(event);
            }
        }
    }
    Ok(events)
}
