//! Event store that seals personal data on its way into the log. The keys are on disk before the events are
//! appended.

use std::collections::{BTreeSet, HashSet};
use std::sync::Arc;

use async_trait::async_trait;
use souk_eventsourcing::personal::{NONCE_BYTES, People, people, seal};
use souk_eventsourcing::store::{Filter, FoundCommand, Page};
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandId, CorrelationId, EventStore, PersonKeys, Position, RecordedEvent,
    Revision, StoreError, StreamName,
};
use tokio::sync::watch;

use super::SharedStore;

/// Event store in front of a log that encrypts ("seals") personal data.
pub struct SealingStore {
    log: SharedStore,
    keys: Arc<dyn PersonKeys>,
    pending: SealedAppends,
}

/// Running appends with personal data. An append may be sealed with a key just before an erasure destroys the
/// key, and reach the log after the erasure. So an erasure waits for the running appends before it searches
/// the log.
#[derive(Clone, Debug, Default)]
pub struct SealedAppends(watch::Sender<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    pending: BTreeSet<u64>,
}

/// Guard of one running append. The append has ended when the guard is dropped.
struct PendingAppend(SealedAppends, u64);

impl SealedAppends {
    fn begin(&self) -> PendingAppend {
        let mut number = 0;
        self.0.send_if_modified(|numbers| {
            number = numbers.next;
            numbers.next += 1;
            numbers.pending.insert(number);
            false
        });
        PendingAppend(self.clone(), number)
    }

    /// Waits until all appends that are running now have ended.
    pub async fn wait_for_pending(&self) {
        let now = self.0.borrow().next;
        let are_done = |numbers: &Numbers| numbers.pending.first().is_none_or(|first| *first >= now);
        // An error means that the store is gone, so no append is running.
        let _ = self.0.subscribe().wait_for(are_done).await;
    }
}

impl Drop for PendingAppend {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|numbers| numbers.pending.remove(&self.1));
    }
}

impl SealingStore {
    /// Creates a store in front of a log.
    pub fn new(log: SharedStore, keys: Arc<dyn PersonKeys>) -> Self {
        Self { log, keys, pending: SealedAppends::default() }
    }

    /// Returns the running appends.
    pub fn pending(&self) -> SealedAppends {
        self.pending.clone()
    }
}

#[async_trait]
impl EventStore for SealingStore {
    async fn append(&self, mut append: Append) -> Result<Appended, AppendError> {
        let People { sealed, copied } = people(&append.events);
        let mut pending = None;
        if !sealed.is_empty() || !copied.is_empty() {
            pending = Some(self.pending.begin());
            let keys = self.keys.keys_for_sealing(sealed).await.map_err(unavailable)?;
            let keys = keys.with(self.keys.keys_for_opening(copied.clone()).await.map_err(unavailable)?);
            let mut erased = HashSet::new();
            for person in copied.into_iter().filter(|person| keys.get(person).is_none()) {
                if self.keys.is_erased(&person).await.map_err(unavailable)? {
                    erased.insert(person);
                }
            }
            let mut failure = None;
            seal(
                &mut append.events,
                &keys,
                |person| erased.contains(person),
                || {
                    let mut nonce = [0; NONCE_BYTES];
                    failure = getrandom::fill(&mut nonce).err().or(failure);
                    nonce
                },
            );
            if let Some(error) = failure {
                return Err(unavailable(error).into());
            }
        }
        let appended = self.log.append(append).await;
        drop(pending);
        appended
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

fn unavailable(error: impl std::fmt::Display) -> StoreError {
    StoreError::Unavailable(error.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn waiting_ends_when_all_earlier_appends_have_ended() {
        let appends = SealedAppends::default();
        let first = appends.begin();
        let second = appends.begin();
        let waits = tokio::spawn({
            let appends = appends.clone();
            async move { appends.wait_for_pending().await }
        });
        tokio::task::yield_now().await;
        let later = appends.begin();
        drop(second);
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(first);
        waits.await.unwrap();
        drop(later);
        appends.wait_for_pending().await;
    }
}
