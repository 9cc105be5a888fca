//! Read-only access to a log that another process may be writing.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use rusqlite::OptionalExtension;
use souk_eventsourcing::store::{FoundCommand, READ_BYTES_MAX, READ_EVENTS_MAX};
use souk_eventsourcing::{
    Append, AppendError, Appended, CommandId, CorrelationId, EventStore, Filter, Page, Position,
    RecordedEvent, Revision, StoreError, StreamName, Timestamp,
};
use uuid::Uuid;

use crate::error::ReadError;
use crate::reader::{self, Readers};
use crate::{LOG_FILE, OpenError, Options, open, wal_scan};

/// Interval at which a wait polls the head. The writer is another process and can't notify this one.
const POLL_INTERVAL: Duration = Duration::from_millis(100);

/// A log that is open for reading only. Appends fail.
pub struct LogReader {
    readers: Arc<Readers>,
    lineage: Uuid,
}

impl LogReader {
    /// Opens the log in a folder. Refuses a log whose write-ahead log is damaged.
    pub fn open(folder: &Path) -> Result<Arc<Self>, OpenError> {
        let path = folder.join(LOG_FILE);
        wal_scan::check(&path)?;
        let connection = open::open_for_reading(&path)?;
        let lineage = open::read_lineage(&path, &connection)?;
        Ok(Arc::new(Self { readers: Arc::new(Readers::new(path, &Options::default())), lineage }))
    }

    /// Lineage of the log; see [`crate::SqliteLog::lineage`].
    pub fn lineage(&self) -> Uuid {
        self.lineage
    }

    /// Returns the position of the last event that was recorded at or before a time, or `None` if all events
    /// are later. Reads every row.
    pub async fn position_at(&self, time: Timestamp) -> Result<Option<Position>, StoreError> {
        let find = move |reader: &crate::reader::Reader<'_>| -> Result<Option<u64>, ReadError> {
            let sql = "SELECT max(position) FROM events WHERE recorded_at_us <= ?1";
            Ok(reader.connection.query_row(sql, [time.as_microsecond()], |row| row.get(0))?)
        };
        Ok(self.readers.blocking(find).await?.map(Position))
    }

    /// Returns the time at which the first event was recorded, or `None` if the log is empty.
    pub async fn first_at(&self) -> Result<Option<Timestamp>, StoreError> {
        let find = |reader: &crate::reader::Reader<'_>| -> Result<Option<i64>, ReadError> {
            let sql = "SELECT recorded_at_us FROM events ORDER BY position LIMIT 1";
            Ok(reader.connection.query_row(sql, [], |row| row.get(0)).optional()?)
        };
        let first = self.readers.blocking(find).await?;
        Ok(first.and_then(|micros| Timestamp::from_microsecond(micros).ok()))
    }
}

#[async_trait]
impl EventStore for LogReader {
    async fn append(&self, _: Append) -> Result<Appended, AppendError> {
        Err(StoreError::Unavailable("the log is open for reading only".to_owned()).into())
    }

    async fn find_command(
        &self,
        stream: &StreamName,
        command: CommandId,
    ) -> Result<Option<FoundCommand>, StoreError> {
        self.readers.inline(|reader| reader.find_command(stream, command)).await
    }

    async fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        let stream = stream.clone();
        let limit = limit.min(READ_EVENTS_MAX);
        self.readers.blocking(move |reader| reader.read_stream(&stream, from, limit, READ_BYTES_MAX)).await
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
        let head = self.head().await?;
        let limit = limit.min(READ_EVENTS_MAX);
        let page = self.readers.blocking(move |reader| reader.read_all(after, limit, head)).await?;
        Ok(reader::page(page, after, filter))
    }

    async fn head(&self) -> Result<Position, StoreError> {
        self.readers.inline(|reader| Ok(Position(open::head_of(reader.connection)?))).await
    }

    async fn wait_beyond(&self, after: Position) -> Result<Position, StoreError> {
        loop {
            let head = self.head().await?;
            if head > after {
                return Ok(head);
            }
            tokio::time::sleep(POLL_INTERVAL).await;
        }
    }

    fn is_exclusive(&self) -> bool {
        false
    }
}
