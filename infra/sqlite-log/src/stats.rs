//! What a log holds, in figures.

use std::fs;
use std::path::Path;

use jiff::Timestamp;
use souk_eventsourcing::Position;
use uuid::Uuid;

use crate::{LOG_FILE, OpenError, open, wal_scan};

/// What a log holds.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Stats {
    /// Tells this log from others; a restored backup keeps it.
    pub log_id: Uuid,
    /// Events.
    pub events: u64,
    /// Streams.
    pub streams: u64,
    /// Bytes of payloads.
    pub payload_bytes: u64,
    /// Bytes of its files.
    pub file_bytes: u64,
    /// The last position.
    pub head: Position,
    /// When the first event was recorded.
    pub first_at: Option<Timestamp>,
    /// When the last event was recorded.
    pub last_at: Option<Timestamp>,
}

/// Looks into the log of a folder, beside whoever writes to it. It reads two whole indexes: call it
/// where blocking is allowed.
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
        file_bytes: bytes_of(&path) + bytes_of(&open::beside(&path, "-wal")),
        head: Position(head),
        first_at: time(first_us),
        last_at: time(last_us),
    })
}
