//! Statistics of a log.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use souk_eventsourcing::Position;
use uuid::Uuid;

use crate::{LOG_FILE, OpenError, open, wal_scan};

/// Statistics of a log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Unique id of the log. A restored backup has the same id.
    pub log_id: Uuid,
    /// Number of events.
    pub events: u64,
    /// Number of streams.
    pub streams: u64,
    /// Total size of all payloads, in bytes.
    pub payload_bytes: u64,
    /// Size of the log file and its write-ahead log, in bytes.
    pub file_bytes: u64,
    /// Position of the last event.
    pub head: Position,
    /// Time at which the first event was recorded.
    pub first_at: Option<Timestamp>,
    /// Time at which the last event was recorded.
    pub last_at: Option<Timestamp>,
}

/// Reads the statistics of the log in a folder, even while another process writes to the log. Blocks the
/// thread for a long time if the log is large, because it reads all events.
pub fn stats(folder: &Path) -> Result<Stats, OpenError> {
    let path = folder.join(LOG_FILE);
    wal_scan::check(&path)?;
    let connection = open::open_for_reading(&path)?;
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(&path, &error);
    let log_id = open::read_log_id(&path, &connection)?;
    let (events, streams, payload_bytes, head, first_us, last_us) = connection
        .query_row(include_str!("stats.sql"), [], |row| {
            Ok((row.get(0)?, row.get(1)?, row.get(2)?, row.get(3)?, row.get(4)?, row.get(5)?))
        })
        .map_err(failed)?;
    let bytes_of = |path: &Path| fs::metadata(path).map_or(0, |metadata| metadata.len());
    let time = |us: Option<i64>| us.and_then(|us| Timestamp::from_microsecond(us).ok());
    Ok(Stats {
        log_id,
        events,
        streams,
        payload_bytes,
        file_bytes: bytes_of(&path) + bytes_of(&open::with_suffix(&path, "-wal")),
        head: Position(head),
        first_at: time(first_us),
        last_at: time(last_us),
    })
}
