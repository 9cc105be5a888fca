//! Opening the file: pragmas, format, and a look at the tail.

use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use souk_eventsourcing::Position;

use crate::row;
use crate::wal_scan;
use crate::{OpenError, Options};

/// `SOUK` as the SQLite application id.
const APPLICATION_ID: u32 = 0x534F_554B;
/// The format that this program writes.
pub(crate) const FORMAT: u32 = 1;
/// What of the WAL's file is kept when it is begun anew, in bytes.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;
/// Rows at the end of the log that are checked at every start.
const TAIL_ROWS: u64 = 1_000;

/// Opens or makes the log.
pub(crate) fn open_for_writing(path: &Path, options: &Options) -> Result<Connection, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    wal_scan::check(path)?;
    let connection = Connection::open(path).map_err(failed)?;
    let is_new = is_empty(&connection).map_err(failed)?;
    if is_new {
        connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        connection.pragma_update(None, "page_size", 4096).map_err(failed)?;
    } else {
        check_format(path, &connection)?;
    }
    connection.pragma_update(None, "journal_mode", "WAL").map_err(failed)?;
    connection.pragma_update(None, "synchronous", "FULL").map_err(failed)?;
    connection.pragma_update(None, "wal_autocheckpoint", 0).map_err(failed)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.writer_cache_kib)).map_err(failed)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT).map_err(failed)?;
    if let Some(pages) = options.pages_max {
        connection.pragma_update(None, "max_page_count", pages).map_err(failed)?;
    }
    if is_new {
        let script = format!("BEGIN; {} PRAGMA user_version = {FORMAT}; COMMIT;", include_str!("schema.sql"));
        connection.execute_batch(&script).map_err(failed)?;
    }
    Ok(connection)
}

/// Opens the log to read it, beside whoever writes.
pub(crate) fn open_for_reading(path: &Path) -> Result<Connection, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    check_format(path, &connection)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    Ok(connection)
}

fn is_empty(connection: &Connection) -> rusqlite::Result<bool> {
    connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
}

fn check_format(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    if pragma("application_id").map_err(failed)? != APPLICATION_ID {
        return Err(OpenError::NotALog { path: path.to_owned() });
    }
    let found = pragma("user_version").map_err(failed)?;
    if found > FORMAT {
        return Err(OpenError::NewerVersion { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(())
}

/// Checks the last rows and returns the head.
pub(crate) fn check_tail(connection: &Connection) -> Result<Position, OpenError> {
    let path = Path::new(connection.path().unwrap_or_default()).to_owned();
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(&path, &error);
    let head: u64 = connection
        .query_row("SELECT coalesce(max(position), 0) FROM events", [], |row| row.get(0))
        .map_err(failed)?;
    let after = head.saturating_sub(TAIL_ROWS);
    let mut statement = connection.prepare(row::SELECT_ALL).map_err(failed)?;
    let mut rows = statement.query((after, head, i64::MAX)).map_err(failed)?;
    let mut expected = after + 1;
    while let Some(stored) = rows.next().map_err(failed)? {
        let checked = row::read_checked(stored).map_err(failed)?;
        let damaged = |what: String| OpenError::Damaged { path: path.clone(), position: Some(Position(expected)), what };
        let event = checked.map_err(&damaged)?;
        if event.position.0 != expected {
            return Err(damaged("the row is missing".to_owned()));
        }
        expected += 1;
    }
    Ok(Position(head))
}
