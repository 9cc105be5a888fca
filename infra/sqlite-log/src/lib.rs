//! The embedded event log: one `SQLite` file, one writer thread.
//!
//! What always holds: an acknowledged append is on disk (WAL with `synchronous=FULL`); appends that wait
//! together share a commit, without a timer; a failed append leaves nothing and rolls back no other;
//! positions are given out without gaps; rows are never changed (triggers) and each carries a checksum
//! of all its columns. After a write, sync or checkpoint that failed the writer is dead for good and
//! says so to everybody: a retried sync lies. Damage is refused at start, not read over.
//!
//! Readers never wait for the writer: those near the head are served from a ring in memory, the others
//! from read-only connections.

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

/// The log's file in its folder.
pub const LOG_FILE: &str = "log.sqlite";
/// Events of a stream that are read on the caller's thread; most streams are no longer than this.
/// Measured on 2 cores, in µs, here against on a blocking thread: 1 row 15 against 24 to 51, 32 rows 57
/// against 59 to 94, 128 rows the same.
const INLINE_EVENTS_MAX: usize = 32;

/// How a log is opened.
#[derive(Clone, Debug)]
pub struct Options {
    /// Page cache of the writer, in KiB.
    pub writer_cache_kib: u32,
    /// Page cache of each reader, in KiB.
    pub reader_cache_kib: u32,
    /// Bytes of the file that readers map into memory; 0 maps nothing. A disk error under a mapping
    /// ends the program, where a read would have returned it.
    pub reader_mmap_bytes: u64,
    /// Read-only connections; who finds all busy waits.
    pub readers_max: usize,
    /// Events at the head of the log that are kept in memory.
    pub tail_events_max: usize,
    /// Bytes of payloads of these; a page that is read from memory is no larger.
    pub tail_bytes_max: usize,
    /// Pages of 4 KiB the file may have; for tests of a full disk.
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

/// The log.
pub struct SqliteLog {
    // Dropped in this order: the writer's connection is the last to close and tidies up.
    readers: Arc<Readers>,
    writer: WriterHandle,
    ring: Arc<Ring>,
    head: watch::Receiver<Position>,
    path: PathBuf,
    id: Uuid,
    lineage: Uuid,
}

impl SqliteLog {
    /// Opens the log in a folder, or makes it. The tail is checked, and damage refused.
    ///
    /// The caller holds the folder: two writers on one file are not for this engine.
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

    /// Tells this log from others; a restored backup keeps it.
    pub fn id(&self) -> Uuid {
        self.id
    }

    /// Tells this log from itself before it was restored: read models are of one lineage.
    pub fn lineage(&self) -> Uuid {
        self.lineage
    }

    /// The position of the last event, as it moves.
    pub fn watch_head(&self) -> watch::Receiver<Position> {
        self.head.clone()
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
    StoreError::Stopped("the log's writer has stopped".to_owned())
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
        // A few rows behind an index, and mostly none: see `INLINE_EVENTS_MAX`.
        self.readers.inline(|reader| reader.find_command(stream, command)).await
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let limit = limit.min(READ_EVENTS_MAX);
        let few = limit.min(INLINE_EVENTS_MAX);
        let mut events =
            self.readers.inline(|reader| reader.read_stream(stream, from, few, READ_BYTES_MAX)).await?;
        let bytes = bytes_of(&events);
        if let Some(last) = events.last()
            && events.len() == few
            && few < limit
            && bytes < READ_BYTES_MAX
        {
            let (stream, from, bytes_max) = (stream.clone(), last.revision.next(), READ_BYTES_MAX - bytes);
            let more = self
                .readers
                .blocking(move |reader| reader.read_stream(&stream, from, limit - few, bytes_max));
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
        let (correlation, limit) = (correlation.clone(), limit.min(READ_EVENTS_MAX));
        self.readers.blocking(move |reader| reader.read_correlation(&correlation, after, limit)).await
    }

    async fn read_all(&self, after: Position, limit: usize, filter: &Filter) -> Result<Page, StoreError> {
        let limit = limit.min(READ_EVENTS_MAX);
        if let Some(page) = self.ring.read(after, limit, filter) {
            return Ok(page);
        }
        let head = *self.head.borrow();
        // Events that nobody wants are decoded too: damage must not make one look unwanted.
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
