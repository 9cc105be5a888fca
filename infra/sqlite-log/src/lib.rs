//! The embedded event log: one SQLite file, one writer thread.
//!
//! What always holds: an acknowledged append is on disk (WAL with `synchronous=FULL`); appends that wait
//! together share a commit, without a timer; a failed append leaves nothing and rolls back no other;
//! positions are given out without gaps; rows are never changed (triggers) and each carries a checksum
//! of all its columns. After a commit that failed the writer is dead for good and says so to everybody:
//! a retried sync lies. Damage is refused at start, not read over.
//!
//! Readers never wait for the writer: those near the head are served from a ring in memory, the others
//! from read-only connections.

mod backup;
mod error;
mod open;
mod reader;
mod ring;
mod row;
mod verify;
mod wal_scan;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use souk_eventsourcing::store::FoundCommand;
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandId, EventStore, Filter, Page, Position, RecordedEvent, Revision,
    StoreError, StreamName,
};
use tokio::sync::{oneshot, watch};

pub use backup::{BackupError, backup, restore};
pub use error::OpenError;
pub use reader::Stats;
pub use verify::{Problem, VerifyReport, verify};
pub use writer::Counters;

use reader::Readers;
use ring::Ring;
use writer::{Request, WriterHandle};

/// The log's file in its folder.
pub const LOG_FILE: &str = "log.sqlite";

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Page cache of the writer, in KiB.
    pub writer_cache_kib: u32,
    /// Read-only connections.
    pub readers_max: usize,
    /// Pages of 4 KiB the file may have; for tests of a full disk.
    pub pages_max: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self { writer_cache_kib: 32 * 1024, readers_max: 4, pages_max: None }
    }
}

/// The log.
pub struct SqliteLog {
    writer: WriterHandle,
    readers: Readers,
    ring: Arc<Ring>,
    head: watch::Receiver<Position>,
    path: PathBuf,
}

impl SqliteLog {
    /// Opens the log in a folder, or makes it. The tail is checked, and damage refused.
    ///
    /// The caller holds the folder: two writers on one file are not for this engine.
    pub fn open(folder: &Path, options: &Options) -> Result<Arc<Self>, OpenError> {
        let path = folder.join(LOG_FILE);
        let connection = open::open_for_writing(&path, options)?;
        let head = open::check_tail(&connection)?;
        let readers = Readers::new(path.clone(), options.readers_max);
        let ring = Arc::new(Ring::new(head));
        let (head_sender, head) = watch::channel(head);
        let writer = writer::start(connection, path.clone(), Arc::clone(&ring), head_sender)?;
        Ok(Arc::new(Self { writer, readers, ring, head, path }))
    }

    /// What the writer did since the log was opened.
    pub fn counters(&self) -> Counters {
        self.writer.counters()
    }

    /// Its file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn closed() -> StoreError {
    StoreError::Unavailable("the log's writer has stopped".to_owned())
}

#[async_trait]
impl EventStore for SqliteLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        append.check_limits()?;
        let (answer, answered) = oneshot::channel();
        self.writer.send(Request { append, answer }).await.map_err(|()| closed())?;
        answered.await.unwrap_or_else(|_| Err(closed().into()))
    }

    async fn find_command(
        &self,
        stream: &StreamName,
        command: CommandId,
    ) -> Result<Option<FoundCommand>, StoreError> {
        // A few pages of an index that is in memory: quicker than handing it to another thread.
        self.readers.with(|reader| reader.find_command(stream, command))
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.readers.with(|reader| reader.read_stream(stream, from, limit))
    }

    async fn read_all(&self, after: Position, limit: usize, filter: &Filter) -> Result<Page, StoreError> {
        if let Some(page) = self.ring.read(after, limit, filter) {
            return Ok(page);
        }
        let head = *self.head.borrow();
        let page = self.readers.with(|reader| reader.read_all(after, limit, head))?;
        let reached = page.last().map_or(after, |event| event.position);
        let events = page.into_iter().filter(|event| filter.takes(event)).collect();
        Ok(Page { events, reached })
    }

    async fn head(&self) -> Result<Position, StoreError> {
        Ok(*self.head.borrow())
    }

    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError> {
        let mut head = self.head.clone();
        let reached = head.wait_for(|head| *head > after).await.map_err(|_| closed())?;
        Ok(*reached)
    }

    fn is_exclusive(&self) -> bool {
        true
    }
}

/// What the log holds, read without opening it for writing.
pub fn stats(folder: &Path) -> Result<Stats, OpenError> {
    reader::stats(&folder.join(LOG_FILE))
}

#[cfg(test)]
mod tests;
