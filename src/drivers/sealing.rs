//! The way into the log: what an append holds open is sealed, behind the last decision, with keys that are
//! on disk by then.

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

/// A log that personal data enters under seal.
pub struct SealingStore {
    log: Arc<dyn EventStore>,
    keys: Arc<dyn PersonKeys>,
    under_way: SealedAppends,
}

/// Appends with personal data that are not answered yet. One that was sealed with a key a moment before that
/// was destroyed is no erased one and comes behind the erasure: whoever looks for what tells about somebody
/// waits for it.
#[derive(Clone, Debug, Default)]
pub struct SealedAppends(watch::Sender<Numbers>);

#[derive(Debug, Default)]
struct Numbers {
    next: u64,
    under_way: BTreeSet<u64>,
}

/// One of them, until it is dropped.
struct UnderWay(SealedAppends, u64);

impl SealedAppends {
    fn begin(&self) -> UnderWay {
        let mut number = 0;
        self.0.send_if_modified(|numbers| {
            number = numbers.next;
            numbers.next += 1;
            numbers.under_way.insert(number);
            false
        });
        UnderWay(self.clone(), number)
    }

    /// Waits until all that are under way now were answered.
    pub async fn those_before_now(&self) {
        let now = self.0.borrow().next;
        let are_done = |numbers: &Numbers| numbers.under_way.first().is_none_or(|first| *first >= now);
        // It ends without an answer only when nobody appends any more.
        let _ = self.0.subscribe().wait_for(are_done).await;
    }
}

impl Drop for UnderWay {
    fn drop(&mut self) {
        self.0.0.send_if_modified(|numbers| numbers.under_way.remove(&self.1));
    }
}

impl SealingStore {
    /// In front of a log.
    pub fn new(log: Arc<dyn EventStore>, keys: Arc<dyn PersonKeys>) -> Self {
        Self { log, keys, under_way: SealedAppends::default() }
    }

    /// What is under way.
    pub fn under_way(&self) -> SealedAppends {
        self.under_way.clone()
    }
}

#[async_trait]
impl EventStore for SealingStore {
    async fn append(&self, mut append: Append) -> Result<Appended, AppendError> {
        let People { sealed, copied } = people(&append.events);
        let mut under_way = None;
        if !sealed.is_empty() || !copied.is_empty() {
            under_way = Some(self.under_way.begin());
            let unavailable = |why: &dyn std::fmt::Display| StoreError::Unavailable(why.to_string());
            let keys = self.keys.to_seal(sealed).await.map_err(|error| unavailable(&error))?;
            let keys =
                keys.with(self.keys.to_open(copied.clone()).await.map_err(|error| unavailable(&error))?);
            let mut erased = HashSet::new();
            for person in copied.into_iter().filter(|person| keys.get(person).is_none()) {
                if self.keys.is_erased(&person).await.map_err(|error| unavailable(&error))? {
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
                return Err(unavailable(&error).into());
            }
        }
        let appended = self.log.append(append).await;
        drop(under_way);
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

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_waits_for_those_that_began_before() {
        let appends = SealedAppends::default();
        let (first, second) = (appends.begin(), appends.begin());
        let waits = tokio::spawn({
            let appends = appends.clone();
            async move { appends.those_before_now().await }
        });
        tokio::task::yield_now().await;
        let later = appends.begin();
        drop(second);
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        drop(first);
        waits.await.unwrap();
        drop(later);
        appends.those_before_now().await;
    }
}
