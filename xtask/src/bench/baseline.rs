//! Baselines of the machine without the log: a plain file with fdatasync, and a plain loop of `SQLite`
//! inserts.

use std::fs::OpenOptions;
use std::io::Write;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;
use rusqlite::Connection;
use souk_sqlite_log::{LOG_FILE, Options, SqliteLog};

use super::{figure, median, sample_event};

/// Size of a record in the plain file, in bytes.
const RECORD_BYTES: usize = 400;
/// Number of records, each with its own sync.
const SYNCED_RECORDS: u64 = 1_500;

/// Insert into the events table of the log, with the columns in their order.
const INSERT: &str =
    "INSERT INTO events VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)";

/// Speed of appends with sync to a plain file.
pub(super) struct BareSync {
    pub(super) per_second: f64,
    /// Median time of one append, in seconds.
    pub(super) seconds: f64,
}

/// Appends records to a plain file and syncs after each.
pub(super) fn append_and_sync(folder: &Path) -> Result<BareSync> {
    let mut file = OpenOptions::new().create(true).append(true).open(folder.join("bare"))?;
    let record = [b'x'; RECORD_BYTES];
    let mut seconds = Vec::new();
    let started = Instant::now();
    for _ in 0..SYNCED_RECORDS {
        let before = Instant::now();
        file.write_all(&record)?;
        file.sync_data()?;
        seconds.push(before.elapsed().as_secs_f64());
    }
    let per_second = figure(SYNCED_RECORDS) / started.elapsed().as_secs_f64();
    Ok(BareSync { per_second, seconds: median(seconds) })
}

/// Measures prepared inserts into the events table of the log, with this many rows per commit. Returns rows
/// per second.
pub(super) fn sqlite_inserts(folder: &Path, rows: u64, rows_per_commit: u64) -> Result<f64> {
    drop(SqliteLog::open(folder, &Options::default())?);
    let mut connection = Connection::open(folder.join(LOG_FILE))?;
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "cache_size", -32 * 1024)?;
    let streams: Vec<_> = (0..rows).map(sample_event::stream).collect();
    let events: Vec<_> =
        (0..).zip(&streams).map(|(number, stream)| sample_event::event(number, stream)).collect();
    let numbered: Vec<_> = (0_i64..).zip(streams.iter().zip(&events)).collect();
    let streams_in_turn = i64::try_from(sample_event::STREAMS)?;
    let started = Instant::now();
    for batch in numbered.chunks(usize::try_from(rows_per_commit)?) {
        let transaction = connection.transaction()?;
        let mut insert = transaction.prepare_cached(INSERT)?;
        for (number, (stream, event)) in batch {
            insert.execute(rusqlite::params![
                number + 1,
                stream.as_str(),
                number / streams_in_turn,
                event.id.0.as_bytes().as_slice(),
                event.event_type.as_ref(),
                event.schema_version,
                event.recorded_at.as_microsecond(),
                event.actor.as_str(),
                event.correlation_id.as_str(),
                event.causation_id.map(|id| id.0.into_bytes()),
                event.command_id.0.as_bytes().as_slice(),
                event.request_hash.map(|hash| hash.0),
                event.content_type.as_ref(),
                event.data.as_ref(),
                0,
                None::<String>,
            ])?;
        }
        drop(insert);
        transaction.commit()?;
    }
    Ok(figure(rows) / started.elapsed().as_secs_f64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn plain_inserts_fill_all_columns_of_the_log() {
        let folder = tempfile::tempdir().unwrap();
        assert!(sqlite_inserts(folder.path(), 100, 10).unwrap() > 0.0);
    }
}
