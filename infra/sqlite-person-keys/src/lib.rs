//! The store of person keys: one `SQLite` file beside the log. Every key is encrypted ("wrapped") with the
//! master key.
//!
//! One thread writes: it collects the waiting requests and commits their new keys together. A second thread
//! reads. Deleted rows are overwritten with zeros. An erasure is acknowledged only after the write-ahead log,
//! which may still hold the key, is truncated.

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

/// File name of the store in the data folder.
pub const PERSON_KEYS_FILE: &str = "person-keys.sqlite";

/// Sender of the response to one request.
pub(crate) type Reply<T> = oneshot::Sender<Result<T, KeysUnavailable>>;

/// Maximum number of unwrapped keys in memory.
const CACHED_KEYS_MAX: usize = 10_000;

/// The store of person keys, with its reader thread and its writer thread.
pub struct SqlitePersonKeys {
    cache: Arc<Cache>,
    reader: Worker<read::Request>,
    writer: Worker<Request>,
}

impl SqlitePersonKeys {
    /// Opens the store in a data folder, or creates it. `master` must be the master key that wraps the stored
    /// keys. The caller must hold the lock of the data folder.
    pub fn open(folder: &Path, master: MasterKey) -> Result<Arc<Self>, OpenError> {
        let path = folder.join(PERSON_KEYS_FILE);
        let connection = open::for_writing(&path, &master)?;
        let reading = open::for_reading(&path)?;
        let cache = Arc::new(Cache::new(CACHED_KEYS_MAX));
        let thread_failed = |error: std::io::Error| OpenError::Unusable {
            path: path.clone(),
            reason: format!("a thread of the store can't be started: {error}"),
        };
        let reader_state = read::Reader { connection: reading, master: master.clone() };
        let reader =
            Worker::start("person-keys-reader", reader_state, read::Reader::work).map_err(thread_failed)?;
        let writer_state = write::Writer { connection, master, cache: Arc::clone(&cache) };
        let writer =
            Worker::start("person-keys-writer", writer_state, write::Writer::work).map_err(thread_failed)?;
        Ok(Arc::new(Self { cache, reader, writer }))
    }

    /// Returns true if the folder has a store.
    pub fn exists_in(folder: &Path) -> bool {
        folder.join(PERSON_KEYS_FILE).exists()
    }

    async fn write<T>(&self, request: impl FnOnce(Reply<T>) -> Request) -> Result<T, KeysUnavailable> {
        let (reply, response) = oneshot::channel();
        self.writer.send(request(reply)).await?;
        response.await.map_err(|_| worker::stopped())?
    }

    async fn read<T>(&self, request: impl FnOnce(Reply<T>) -> read::Request) -> Result<T, KeysUnavailable> {
        let (reply, response) = oneshot::channel();
        self.reader.send(request(reply)).await?;
        response.await.map_err(|_| worker::stopped())?
    }
}

#[async_trait]
impl PersonKeys for SqlitePersonKeys {
    async fn keys_for_sealing(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable> {
        let (ring, missing) = self.cache.get(people);
        if missing.is_empty() {
            return Ok(ring);
        }
        let made = self.write(|reply| Request::Make { people: missing, reply }).await?;
        Ok(ring.with(made))
    }

    async fn keys_for_opening(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable> {
        let (ring, missing) = self.cache.get(people);
        if missing.is_empty() {
            return Ok(ring);
        }
        let erasures = self.cache.erasures();
        let found = self.read(|reply| read::Request::Keys { people: missing, reply }).await?;
        self.cache.put(erasures, &found);
        Ok(ring.with(found))
    }

    async fn is_erased(&self, person: &Person) -> Result<bool, KeysUnavailable> {
        let person = person.clone();
        self.read(|reply| read::Request::IsErased { person, reply }).await
    }

    async fn erase(&self, person: &Person, at: Timestamp) -> Result<(), KeysUnavailable> {
        let person = person.clone();
        self.write(|reply| Request::Erase { person, at, reply }).await
    }

    async fn incomplete_erasures(&self, limit: usize) -> Result<Vec<Person>, KeysUnavailable> {
        self.read(|reply| read::Request::IncompleteErasures { limit, reply }).await
    }

    async fn complete_erasure(&self, person: &Person) -> Result<(), KeysUnavailable> {
        let person = person.clone();
        self.write(|reply| Request::MarkErasure { person, is_complete: true, reply }).await
    }

    async fn erased_after(&self, name: &str, limit: usize) -> Result<Vec<Person>, KeysUnavailable> {
        let after = name.to_owned();
        self.read(|reply| read::Request::ErasedAfter { after, limit, reply }).await
    }

    async fn reopen_erasure(&self, person: &Person) -> Result<(), KeysUnavailable> {
        let person = person.clone();
        self.write(|reply| Request::MarkErasure { person, is_complete: false, reply }).await
    }
}

#[cfg(test)]
mod tests;
