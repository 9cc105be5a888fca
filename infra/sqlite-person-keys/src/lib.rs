//! The keys of people in `SQLite`, wrapped by a master key, in a file of their own beside the log.
//!
//! One thread writes and commits for everybody who waits, one reads. What is deleted is overwritten, and
//! an erasure is answered only when the write-ahead log that held the key before is cut off too.

mod cache;
mod complete;
mod index;
mod master;
mod merge;
mod open;
mod read;
mod rewrap;
mod worker;
mod write;

use std::path::Path;
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use souk_eventsourcing::{KeyRing, KeysUnavailable, Person, PersonKeys};
use tokio::sync::oneshot;

pub use master::{MasterKey, MasterKeyMalformed};
pub use merge::{Merged, merge};
pub use open::OpenError;
pub use rewrap::{back_up, master_id, rewrap};

use cache::Cache;
use worker::Worker;
use write::Request;

/// The store's file in its folder.
pub const PERSON_KEYS_FILE: &str = "person-keys.sqlite";

/// Keys held in memory.
const CACHED_KEYS_MAX: usize = 10_000;

/// The store.
pub struct SqlitePersonKeys {
    cache: Arc<Cache>,
    reader: Worker<read::Request>,
    writer: Worker<Request>,
}

impl SqlitePersonKeys {
    /// Opens the store in a folder, or makes it. The master key must be the one that its keys are wrapped
    /// by. The caller holds the folder.
    pub fn open(folder: &Path, master: MasterKey) -> Result<Arc<Self>, OpenError> {
        let path = folder.join(PERSON_KEYS_FILE);
        let connection = open::for_writing(&path, &master)?;
        let reading = open::for_reading(&path)?;
        let cache = Arc::new(Cache::new(CACHED_KEYS_MAX));
        let no_thread = |error: std::io::Error| OpenError::Unusable {
            path: path.clone(),
            reason: format!("no thread for it: {error}"),
        };
        let of_reader = read::Reader { connection: reading, master: master.clone() };
        let reader = Worker::start("person-keys-reader", of_reader, read::Reader::work).map_err(no_thread)?;
        let of_writer = write::Writer { connection, master, cache: Arc::clone(&cache) };
        let writer =
            Worker::start("person-keys-writer", of_writer, write::Writer::work).map_err(no_thread)?;
        Ok(Arc::new(Self { cache, reader, writer }))
    }

    /// Whether a folder has a store.
    pub fn is_in(folder: &Path) -> bool {
        folder.join(PERSON_KEYS_FILE).exists()
    }

    async fn write<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, KeysUnavailable>>) -> Request,
    ) -> Result<T, KeysUnavailable> {
        let (answer, answered) = oneshot::channel();
        self.writer.send(request(answer)).await?;
        answered.await.map_err(|_| worker::stopped())?
    }

    async fn read<T>(
        &self,
        request: impl FnOnce(oneshot::Sender<Result<T, KeysUnavailable>>) -> read::Request,
    ) -> Result<T, KeysUnavailable> {
        let (answer, answered) = oneshot::channel();
        self.reader.send(request(answer)).await?;
        answered.await.map_err(|_| worker::stopped())?
    }
}

#[async_trait]
impl PersonKeys for SqlitePersonKeys {
    async fn to_seal(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable> {
        let (ring, missing) = self.cache.get(people);
        if missing.is_empty() {
            return Ok(ring);
        }
        let made = self.write(|answer| Request::Make { people: missing, answer }).await?;
        Ok(ring.with(made))
    }

    async fn to_open(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable> {
        let (ring, missing) = self.cache.get(people);
        if missing.is_empty() {
            return Ok(ring);
        }
        let before = self.cache.erasures();
        let found = self.read(|answer| read::Request::Keys { people: missing, answer }).await?;
        self.cache.put(before, &found);
        Ok(ring.with(found))
    }

    async fn is_erased(&self, person: &Person) -> Result<bool, KeysUnavailable> {
        let person = person.clone();
        self.read(|answer| read::Request::IsErased { person, answer }).await
    }

    async fn erase(&self, person: &Person, at: Timestamp) -> Result<(), KeysUnavailable> {
        let person = person.clone();
        self.write(|answer| Request::Erase { person, at, answer }).await
    }

    async fn unsettled(&self, limit: usize) -> Result<Vec<Person>, KeysUnavailable> {
        self.read(|answer| read::Request::Unsettled { limit, answer }).await
    }

    async fn settle(&self, person: &Person) -> Result<(), KeysUnavailable> {
        let person = person.clone();
        self.write(|answer| Request::Settle { person, is_settled: true, answer }).await
    }

    async fn erased_after(&self, name: &str, limit: usize) -> Result<Vec<Person>, KeysUnavailable> {
        let after = name.to_owned();
        self.read(|answer| read::Request::ErasedAfter { after, limit, answer }).await
    }

    async fn unsettle(&self, person: &Person) -> Result<(), KeysUnavailable> {
        let person = person.clone();
        self.write(|answer| Request::Settle { person, is_settled: false, answer }).await
    }
}

#[cfg(test)]
mod tests;
