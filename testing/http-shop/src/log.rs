//! Reads of the log of the test shop.

use souk_eventsourcing::store::READ_EVENTS_MAX;
use souk_eventsourcing::{EventStore, Filter, Position, RecordedEvent, Revision, StreamName};
use souk_sqlite_log::SqliteLog;

use crate::Shop;

/// Returns all events of a log.
pub(crate) async fn all_events(log: &SqliteLog) -> Vec<RecordedEvent> {
    let head = log.head().await.unwrap();
    let mut events = Vec::new();
    let mut reached = Position::START;
    while reached < head {
        let page = log.read_all(reached, READ_EVENTS_MAX, &Filter::all()).await.unwrap();
        events.extend(page.events);
        reached = page.reached;
    }
    events
}

/// Returns the events of a stream.
pub(crate) async fn events_of(log: &SqliteLog, stream: &StreamName) -> Vec<RecordedEvent> {
    log.read_stream(stream, Revision::FIRST, READ_EVENTS_MAX).await.unwrap()
}

impl Shop {
    /// Returns all events of the log.
    pub async fn all_events(&self) -> Vec<RecordedEvent> {
        all_events(&self.log).await
    }

    /// Returns the events of a stream.
    pub async fn events(&self, stream: &StreamName) -> Vec<RecordedEvent> {
        events_of(&self.log, stream).await
    }

    /// Returns the types of the events of a stream.
    pub async fn event_types(&self, stream: &StreamName) -> Vec<String> {
        self.events(stream).await.iter().map(|event| event.event_type().to_owned()).collect()
    }

    /// Returns the streams of a category, in the order in which they began.
    pub async fn streams_of(&self, category: &str) -> Vec<StreamName> {
        let firsts = self.all_events().await.into_iter().filter(|event| event.revision == Revision::FIRST);
        firsts.map(|event| event.stream).filter(|stream| stream.category() == category).collect()
    }

    /// Returns the position of the last event.
    pub async fn head(&self) -> Position {
        self.log.head().await.unwrap()
    }

    /// Returns the stream of each load of an aggregate so far, in the order of the loads.
    pub fn loads(&self) -> Vec<StreamName> {
        self.loads.lock().unwrap().clone()
    }
}
