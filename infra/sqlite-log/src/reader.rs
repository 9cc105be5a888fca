//! A pool of read-only connections.
//!
//! Its size is limited. A read waits for a permit if all connections are busy. A connection is used by one
//! read at a time, and no lock is held during a read.

use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};

use rusqlite::Connection;
use souk_eventsourcing::store::{FoundCommand, READ_BYTES_MAX};
use souk_eventsourcing::{
    CommandId, CorrelationId, EventId, Filter, Page, Position, RecordedEvent, Revision, StoreError,
    StreamName,
};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use crate::error::ReadError;
use crate::row::{self, RowError, to_i64};
use crate::{Options, open};

/// A bounded pool of connections. Each connection is opened when it is first needed.
pub(crate) struct Readers {
    path: PathBuf,
    options: Options,
    idle: Mutex<Vec<Connection>>,
    permits: Arc<Semaphore>,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, options: &Options) -> Self {
        let permits = Arc::new(Semaphore::new(options.readers_max.max(1)));
        Self { path, options: options.clone(), idle: Mutex::new(Vec::new()), permits }
    }

    /// Reads on the caller's thread. For reads of a few rows through an index, which are faster than a switch
    /// to another thread.
    pub(crate) async fn inline<T>(
        &self,
        read: impl FnOnce(&Reader<'_>) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let permit = self.permit().await?;
        self.with_connection(permit, read)
    }

    /// Reads on a blocking thread. For all longer reads.
    pub(crate) async fn blocking<T: Send + 'static>(
        self: &Arc<Self>,
        read: impl FnOnce(&Reader<'_>) -> Result<T, ReadError> + Send + 'static,
    ) -> Result<T, StoreError> {
        // The permit moves into the task, so that a cancelled caller does not free it before the read ends.
        let permit = self.permit().await?;
        let readers = Arc::clone(self);
        let task = tokio::task::spawn_blocking(move || readers.with_connection(permit, read));
        task.await.map_err(|error| StoreError::Unavailable(format!("the read failed: {error}")))?
    }

    async fn permit(&self) -> Result<OwnedSemaphorePermit, StoreError> {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        permit.map_err(|_| StoreError::Unavailable("the log is closed".to_owned()))
    }

    fn with_connection<T>(
        &self,
        permit: OwnedSemaphorePermit,
        read: impl FnOnce(&Reader<'_>) -> Result<T, ReadError>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => self.connect()?,
        };
        let result = read(&Reader { connection: &connection });
        if result.is_ok() {
            self.idle.lock().unwrap_or_else(PoisonError::into_inner).push(connection);
        }
        drop(permit);
        Ok(result?)
    }

    fn connect(&self) -> Result<Connection, StoreError> {
        let failed = |error: rusqlite::Error| StoreError::from(ReadError::from(error));
        let connection =
            open::open_for_reading(&self.path).map_err(|error| StoreError::Unavailable(error.to_string()))?;
        let cache = -i64::from(self.options.reader_cache_kib);
        connection.pragma_update(None, "cache_size", cache).map_err(failed)?;
        connection
            .pragma_update(None, "mmap_size", to_i64(self.options.reader_mmap_bytes))
            .map_err(failed)?;
        Ok(connection)
    }
}

/// Queries on one connection.
pub(crate) struct Reader<'a> {
    pub(crate) connection: &'a Connection,
}

impl Reader<'_> {
    pub(crate) fn find_command(
        &self,
        stream: &StreamName,
        command: CommandId,
    ) -> Result<Option<FoundCommand>, ReadError> {
        let id = EventId::derive(stream, command, 0);
        let found = self.rows(row::SELECT_EVENT, [id.0.as_bytes().as_slice()], usize::MAX)?.pop();
        let Some(first) = found else { return Ok(None) };
        let mut last_revision = first.revision;
        let mut last_position = first.position;
        let mut statement = self.connection.prepare_cached(row::SELECT_COMMANDS_AFTER)?;
        let mut later_rows = statement.query((stream.as_str(), to_i64(first.revision.0)))?;
        // The events of one command have consecutive revisions, so the first event of another command ends
        // the search. Its cost does not depend on the length of the stream.
        while let Some(row) = later_rows.next()? {
            if row.get_ref(2)?.as_blob().ok() != Some(command.0.as_bytes()) {
                break;
            }
            last_revision = Revision(row.get(0)?);
            last_position = Position(row.get(1)?);
        }
        Ok(Some(FoundCommand { first, last_revision, last_position }))
    }

    pub(crate) fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
        bytes_max: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        self.rows(row::SELECT_STREAM, (stream.as_str(), to_i64(from.0), to_i64(limit as u64)), bytes_max)
    }

    pub(crate) fn read_correlation(
        &self,
        correlation: &CorrelationId,
        after: Position,
        limit: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        let parameters = (correlation.as_str(), to_i64(after.0), to_i64(limit as u64));
        self.rows(row::SELECT_CORRELATION, parameters, READ_BYTES_MAX)
    }

    pub(crate) fn read_all(
        &self,
        after: Position,
        limit: usize,
        head: Position,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        let parameters = (to_i64(after.0), to_i64(head.0), to_i64(limit as u64));
        let events = self.rows(row::SELECT_ALL, parameters, READ_BYTES_MAX)?;
        // Positions have no gaps in this engine. A gap means that events were lost, and a state that is
        // computed without them would be wrong.
        let mut expected = after.0;
        for event in &events {
            expected += 1;
            if event.position.0 != expected {
                let what = "events are missing, beginning at this position; see `souk log verify`".to_owned();
                return Err(ReadError::Row { position: to_i64(expected), what });
            }
        }
        if events.is_empty() && after < head {
            let what = "all events from this position on are missing; see `souk log verify`".to_owned();
            return Err(ReadError::Row { position: to_i64(expected + 1), what });
        }
        Ok(events)
    }

    fn rows(
        &self,
        sql: &str,
        parameters: impl rusqlite::Params,
        bytes_max: usize,
    ) -> Result<Vec<RecordedEvent>, ReadError> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut events = Vec::new();
        let mut bytes = 0;
        while bytes < bytes_max
            && let Some(row) = rows.next()?
        {
            let event = match row::read_checked(row) {
                Ok(event) => event,
                Err(RowError(what)) => return Err(ReadError::Row { position: row.get(0)?, what }),
            };
            bytes += event.event.data.len();
            events.push(event);
        }
        Ok(events)
    }
}

/// Builds a page from the events that were read after a position. The page contains only the
/// events that match the filter.
pub(crate) fn page(events: Vec<RecordedEvent>, after: Position, filter: &Filter) -> Page {
    let reached = events.last().map_or(after, |event| event.position);
    Page { events: events.into_iter().filter(|event| filter.matches(event)).collect(), reached }
}
