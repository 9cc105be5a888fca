//! The embedded event log: one `SQLite` file and one writer thread.
//!
//! Invariants:
//!
//! - An acknowledged append is on disk (WAL with `synchronous=FULL`).
//! - Appends that wait in the queue share a commit, without a timer.
//! - A refused append leaves no rows, and does not roll back the other appends of its commit.
//! - Positions have no gaps.
//! - Rows never change (triggers prevent it), and each row has a checksum of all its columns.
//! - After a failed write, sync or checkpoint, the writer stops and refuses all later appends until the log
//!   is opened again: a second sync may report success although the first one lost data.
//! - A damaged log is not opened.
//!
//! Readers never wait for the writer. Events near the head are read from a ring in memory, all others through
//! read-only connections.

mod backup;
mod browse;
mod error;
mod open;
mod reader;
mod ring;
mod row;
mod stats;
mod verify;
mod wal_scan;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use souk_eventsourcing::store::{FoundCommand, READ_BYTES_MAX, READ_EVENTS_MAX, bytes_of};
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandId, CorrelationId, EventStore, Filter, Page, Position,
    RecordedEvent, Revision, StoreError, StreamName,
};
use tokio::sync::{oneshot, watch};
use uuid::Uuid;

pub use backup::{
    BackedUp, BackupError, MANIFEST_FILE, Manifest, SEGMENT_EVENTS_MAX, Segment, backup, check, restore,
};
pub use browse::LogReader;
pub use error::OpenError;
pub use stats::{Stats, stats};
pub use verify::{Problem, VerifyReport, verify};
pub use writer::Counters;

use reader::Readers;
use ring::Ring;
use writer::{Request, WriterHandle};

/// File name of the log in the data folder.
pub const LOG_FILE: &str = "log.sqlite";
/// Limit of events of a stream that are read on the caller's thread. Most streams are not longer. Measured on
/// 2 cores: 1 row takes 15 µs on the caller's thread and 24 to 51 µs on a blocking thread, 32 rows take 57 µs
/// and 59 to 94 µs, and with 128 rows there is no difference.
const INLINE_EVENTS_MAX: usize = 32;

/// Settings for opening a log.
#[derive(Clone, Debug)]
pub struct Options {
    /// Page cache of the writer, in KiB.
    pub writer_cache_kib: u32,
    /// Page cache of each reader, in KiB.
    pub reader_cache_kib: u32,
    /// Number of bytes of the file that readers map into memory; 0 for none. With a mapping, a disk error
    /// kills the process instead of returning an error.
    pub reader_mmap_bytes: u64,
    /// Limit of read-only connections. A read waits if all of them are busy.
    pub readers_max: usize,
    /// Limit of events near the head that are kept in memory.
    pub tail_events_max: usize,
    /// Limit of the payload bytes of these events. It also limits a page that is read from memory.
    pub tail_bytes_max: usize,
    /// Limit of the file size in pages of 4 KiB, to test a full disk.
    pub pages_max: Option<u32>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            writer_cache_kib: 8 * 1024,
            reader_cache_kib: 2 * 1024,
            reader_mmap_bytes: 0,
            readers_max: 4,
            tail_events_max: 8 * 1024,
            tail_bytes_max: READ_BYTES_MAX / 4,
            pages_max: None,
        }
    }
}

/// A log that is open for writing.
pub struct SqliteLog {
    // The fields are dropped in this order: the writer's connection must close last, because it then removes
    // the WAL.
    readers: Arc<Readers>,
    writer: WriterHandle,
    ring: Arc<Ring>,
    head: watch::Receiver<Position>,
    path: PathBuf,
    id: Uuid,
    lineage: Uuid,
}

impl SqliteLog {
    /// Opens the log in a folder, or creates it. Checks the last rows, and refuses a damaged log.
    ///
    /// The caller must hold the lock of the folder: this engine supports only one writer per file.
    pub fn open(folder: &Path, options: &Options) -> Result<Arc<Self>, OpenError> {
        let path = folder.join(LOG_FILE);
        let (connection, head) = open::open_for_writing(&path, options)?;
        let id = open::read_log_id(&path, &connection)?;
        let lineage = open::read_lineage(&path, &connection)?;
        let readers = Arc::new(Readers::new(path.clone(), options));
        let ring = Arc::new(Ring::new(head, options));
        let (head_sender, head) = watch::channel(head);
        let writer = writer::start(connection, path.clone(), Arc::clone(&ring), head_sender)?;
        Ok(Arc::new(Self { readers, writer, ring, head, path, id, lineage }))
    }

    /// Unique id of this log. A restored backup has the same id.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Id that changes when a backup is restored. Read models belong to one lineage.
    pub fn lineage(&self) -> Uuid {
        self.lineage
    }

    /// Returns a channel with the position of the last event. It changes with every commit.
    pub fn watch_head(&self) -> watch::Receiver<Position> {
        self.head.clone()
    }

    /// Returns the number of commits, appends and events since the log was opened.
    pub fn counters(&self) -> Counters {
        self.writer.counters()
    }

    /// Path of the log file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn closed() -> StoreError {
    StoreError::Stopped("the log's writer has stopped".to_owned())
}

#[async_trait]
impl EventStore for SqliteLog {
    async fn append(&self, append: Append) -> Result<Appended, AppendError> {
        append.check_limits()?;
        let (reply, response) = oneshot::channel();
        self.writer.send(Request { append, reply }).await.map_err(|()| closed())?;
        response.await.unwrap_or_else(|_| Err(closed().into()))
    }

    async fn find_command(
        &self,
        stream: &StreamName,
        command: CommandId,
    ) -> Result<Option<FoundCommand>, StoreError> {
        // An index finds no row or a inline_limit rows, so the read is fast; see `INLINE_EVENTS_MAX`.
        self.readers.inline(|reader| reader.find_command(stream, command)).await
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let limit = limit.min(READ_EVENTS_MAX);
        let inline_limit = limit.min(INLINE_EVENTS_MAX);
        let mut events = self
            .readers
            .inline(|reader| reader.read_stream(stream, from, inline_limit, READ_BYTES_MAX))
            .await?;
        let bytes = bytes_of(&events);
        if let Some(last) = events.last()
            && events.len() == inline_limit
            && inline_limit < limit
            && bytes < READ_BYTES_MAX
        {
            let stream = stream.clone();
            let from = last.revision.next();
            let bytes_max = READ_BYTES_MAX - bytes;
            let more = self
                .readers
                .blocking(move |reader| reader.read_stream(&stream, from, limit - inline_limit, bytes_max));
            events.extend(more.await?);
        }
        Ok(events)
    }

    async fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let correlation = correlation.clone();
        let limit = limit.min(READ_EVENTS_MAX);
        self.readers.blocking(move |reader| reader.read_correlation(&correlation, after, limit)).await
    }

    async fn read_all(&self, after: Position, limit: usize, filter: &Filter) -> Result<Page, StoreError> {
        let limit = limit.min(READ_EVENTS_MAX);
        if let Some(page) = self.ring.read(after, limit, filter) {
            return Ok(page);
        }
        let head = *self.head.borrow();
        // All events are decoded before they are filtered, because damage could make an event look like
        // another type.
        let page = self.readers.blocking(move |reader| reader.read_all(after, limit, head)).await?;
        Ok(reader::page(page, after, filter))
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

#[cfg(test)]
mod tests;
