//! The way into the log: what an append holds open is sealed, behind the last decision, with keys that are
//! on disk by then.

use std::sync::Arc;

use async_trait::async_trait;
use souk_eventsourcing::personal::{NONCE_BYTES, people, seal};
use souk_eventsourcing::store::{Filter, FoundCommand, Page};
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandId, CorrelationId, EventStore, PersonKeys, Position, RecordedEvent,
    Revision, StoreError, StreamName,
};

/// A log that personal data enters under seal.
pub struct SealingStore {
    log: Arc<dyn EventStore>,
    keys: Arc<dyn PersonKeys>,
}

impl SealingStore {
    /// In front of a log.
    pub fn new(log: Arc<dyn EventStore>, keys: Arc<dyn PersonKeys>) -> Self {
        Self { log, keys }
    }
}

#[async_trait]
impl EventStore for SealingStore {
    async fn append(&self, mut append: Append) -> Result<Appended, AppendError> {
        let people = people(&append.events);
        if !people.is_empty() {
            let unavailable = |why: &dyn std::fmt::Display| StoreError::Unavailable(why.to_string());
            let keys = self.keys.to_seal(people).await.map_err(|error| unavailable(&error))?;
            let mut failure = None;
            seal(&mut append.events, &keys, || {
                let mut nonce = [0; NONCE_BYTES];
                failure = getrandom::fill(&mut nonce).err().or(failure);
                nonce
            });
            if let Some(error) = failure {
                return Err(unavailable(&error).into());
            }
        }
        self.log.append(append).await
    }

    async fn find_command(
        &self,
        stream: &StreamName,
        command: CommandId,
    ) -> Result<Option<FoundCommand>, StoreError> {
        self.log.find_command(stream, command).await
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.log.read_stream(stream, from, limit).await
    }

    async fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.log.read_correlation(correlation, after, limit).await
    }

    async fn read_all(&self, after: Position, limit: usize, filter: &Filter) -> Result<Page, StoreError> {
        self.log.read_all(after, limit, filter).await
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.log.head().await
    }

    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError> {
        self.log.wait_beyond(after).await
    }

    fn is_exclusive(&self) -> bool {
        self.log.is_exclusive()
    }
}
