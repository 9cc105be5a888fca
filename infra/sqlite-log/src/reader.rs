//! Read-only connections.

use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};

use jiff::Timestamp;
use rusqlite::Connection;
use souk_eventsourcing::store::{FoundCommand, READ_EVENTS_MAX};
use souk_eventsourcing::{CommandId, EventId, Position, RecordedEvent, Revision, StoreError, StreamName};

use crate::row::{self, to_i64};
use crate::{OpenError, open};

/// A pool of connections; made when first needed.
pub(crate) struct Readers {
    path: PathBuf,
    idle: Mutex<Vec<Connection>>,
    idle_max: usize,
}

impl Readers {
    pub(crate) fn new(path: PathBuf, idle_max: usize) -> Self {
        Self { path, idle: Mutex::new(Vec::new()), idle_max }
    }

    /// Reads with a connection of the pool, or a new one when all are busy.
    pub(crate) fn with<T>(
        &self,
        read: impl FnOnce(&Reader<'_>) -> rusqlite::Result<Result<T, String>>,
    ) -> Result<T, StoreError> {
        let idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner).pop();
        let connection = match idle {
            Some(connection) => connection,
            None => open::open_for_reading(&self.path)
                .map_err(|error| StoreError::Unavailable(error.to_string()))?,
        };
        let result = read(&Reader { connection: &connection });
        let mut idle = self.idle.lock().unwrap_or_else(PoisonError::into_inner);
        if idle.len() < self.idle_max {
            idle.push(connection);
        }
        drop(idle);
        match result {
            Ok(Ok(value)) => Ok(value),
            Ok(Err(what)) => Err(StoreError::Damaged(what)),
            Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt) => {
                Err(StoreError::Damaged(error.to_string()))
            }
            Err(error) => Err(StoreError::Unavailable(error.to_string())),
        }
    }
}

/// A connection and what is read with it.
pub(crate) struct Reader<'a> {
    connection: &'a Connection,
}

type Read<T> = rusqlite::Result<Result<T, String>>;

impl Reader<'_> {
    pub(crate) fn find_command(&self, stream: &StreamName, command: CommandId) -> Read<Option<FoundCommand>> {
        let id = EventId::derive(stream, command, 0);
        let found = self.rows(row::SELECT_EVENT, [id.0.as_bytes().as_slice()])?;
        let first = match found.map(|mut events| events.pop()) {
            Ok(Some(first)) => first,
            Ok(None) => return Ok(Ok(None)),
            Err(what) => return Ok(Err(what)),
        };
        // Events of one command stand together.
        let (mut last_revision, mut last_position) = (first.revision, first.position);
        let behind = self.read_stream(stream, first.revision.next(), READ_EVENTS_MAX)?;
        for event in behind.iter().flatten().take_while(|event| event.event.command_id == command) {
            (last_revision, last_position) = (event.revision, event.position);
        }
        Ok(Ok(Some(FoundCommand { first, last_revision, last_position })))
    }

    pub(crate) fn read_stream(
        &self,
        stream: &StreamName,
        from: Revision,
        limit: usize,
    ) -> Read<Vec<RecordedEvent>> {
        let limit = to_i64(limit.min(READ_EVENTS_MAX) as u64);
        self.rows(row::SELECT_STREAM, (stream.as_str(), to_i64(from.0), limit))
    }

    pub(crate) fn read_all(&self, after: Position, limit: usize, head: Position) -> Read<Vec<RecordedEvent>> {
        let limit = to_i64(limit.min(READ_EVENTS_MAX) as u64);
        self.rows(row::SELECT_ALL, (to_i64(after.0), to_i64(head.0), limit))
    }

    fn rows(&self, sql: &str, parameters: impl rusqlite::Params) -> Read<Vec<RecordedEvent>> {
        let mut statement = self.connection.prepare_cached(sql)?;
        let mut rows = statement.query(parameters)?;
        let mut events = Vec::new();
        while let Some(row) = rows.next()? {
            match row::read_checked(row)? {
                Ok(event) => events.push(event),
                Err(what) => {
                    let position: i64 = row.get(0)?;
                    return Ok(Err(format!("position {position}: {what}")));
                }
            }
        }
        Ok(Ok(events))
    }
}

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Events.
    pub events: u64,
    /// Streams.
    pub streams: u64,
    /// Bytes of payloads.
    pub payload_bytes: u64,
    /// Bytes of the file.
    pub file_bytes: u64,
    /// The last position.
    pub head: Position,
    /// When the first event was recorded.
    pub first_at: Option<Timestamp>,
    /// When the last event was recorded.
    pub last_at: Option<Timestamp>,
}

pub(crate) fn stats(path: &Path) -> Result<Stats, OpenError> {
    let connection = open::open_for_reading(path)?;
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let time = |sql: &str| -> rusqlite::Result<Option<Timestamp>> {
        let us: Option<i64> = connection.query_row(sql, [], |row| row.get(0))?;
        Ok(us.and_then(|us| Timestamp::from_microsecond(us).ok()))
    };
    let sums = "SELECT count(*), count(DISTINCT stream), coalesce(sum(length(data)), 0), \
                coalesce(max(position), 0) FROM events";
    let (events, streams, payload_bytes, head): (u64, u64, u64, u64) = connection
        .query_row(sums, [], |row| Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?)))
        .map_err(failed)?;
    let file_bytes = std::fs::metadata(path).map_or(0, |metadata| metadata.len());
    let first_at = time("SELECT recorded_at_us FROM events WHERE position = (SELECT min(position) FROM events) UNION ALL SELECT NULL LIMIT 1");
    let last_at = time("SELECT recorded_at_us FROM events WHERE position = (SELECT max(position) FROM events) UNION ALL SELECT NULL LIMIT 1");
    let (first_at, last_at) = (first_at.map_err(failed)?, last_at.map_err(failed)?);
    Ok(Stats { events, streams, payload_bytes, file_bytes, head: Position(head), first_at, last_at })
}
