//! Reading a log beside whoever writes to it, without opening it for writing.

use std::path::Path;

use rusqlite::Connection;
use souk_eventsourcing::{Position, RecordedEvent, Revision, StoreError, StreamName};

use souk_eventsourcing::store::READ_BYTES_MAX;

use crate::reader::Reader;
use crate::{LOG_FILE, OpenError, open, wal_scan};

/// A log to look into; its calls block.
pub struct LogReader {
    connection: Connection,
}

impl LogReader {
    /// Opens the log in a folder; one whose write-ahead log is damaged is refused.
    pub fn open(folder: &Path) -> Result<Self, OpenError> {
        let path = folder.join(LOG_FILE);
        wal_scan::check(&path)?;
        Ok(Self { connection: open::open_for_reading(&path)? })
    }

    /// The position of the last event.
    pub fn head(&self) -> Result<Position, StoreError> {
        let head = open::head_of(&self.connection);
        head.map(Position).map_err(|error| StoreError::Unavailable(error.to_string()))
    }

    /// Up to `limit` events of a stream from a revision on.
    pub fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, StoreError> {
        self.reader().read_stream(stream, from, limit, READ_BYTES_MAX).map_err(Into::into)
    }

    /// Up to `limit` events after a position.
    pub fn read_all(&self, after: Position, limit: usize) -> Result<Vec<RecordedEvent>, StoreError> {
        let head = self.head()?;
        self.reader().read_all(after, limit, head).map_err(Into::into)
    }

    fn reader(&self) -> Reader<'_> {
        Reader { connection: &self.connection }
    }
}
