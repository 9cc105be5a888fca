//! Opens the file of a log: creates it, checks its format and its last rows, and sets the pragmas.
//!
//! A new log is created under another name and renamed when it is complete. So a file with the log's name is
//! either a complete log or damaged, even if it is empty. An existing file is not changed before it has
//! passed every check.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::UNIX_EPOCH;

use rusqlite::{Connection, OpenFlags};
use souk_eventsourcing::Position;
use souk_eventsourcing::id::derive;
use souk_private_files::write_new;
use uuid::Uuid;

use crate::row::{self, RowError};
use crate::wal_scan;
use crate::{OpenError, Options};

/// `SOUK` as the `SQLite` application id.
const APPLICATION_ID: u32 = 0x534F_554B;
/// Version of the file format that this program writes. Format 1 has no column `reply_to`. Opening such a log
/// for writing adds the column and changes no row.
pub(crate) const FORMAT: u32 = 2;
/// Size of a database page, in bytes.
pub(crate) const PAGE_BYTES: usize = 4_096;
/// File size to which the WAL is cut after it was copied into the database, in bytes. Overwriting the file is
/// faster than growing it.
const WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;
/// Initial size of the WAL file, in bytes, also because overwriting is faster. The size is enough for the
/// frames that make the WAL due for copying into the database, and for the frames that are written during the
/// copying.
const WAL_FILLED_BYTES: usize = 20 * 1024 * 1024;
/// Number of rows at the end of the log that are checked at every start.
const TAIL_ROWS: u64 = 1_000;

/// Returns the path of a companion file: `path` with a suffix, as `SQLite` names its WAL.
pub(crate) fn with_suffix(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens or creates the log, and returns its connection and its head.
pub(crate) fn open_for_writing(path: &Path, options: &Options) -> Result<(Connection, Position), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    if is_missing(path)? {
        create(path)?;
    }
    wal_scan::check(path)?;
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    check_format(path, &connection)?;
    show_as_current(&connection).map_err(failed)?;
    let head = check_tail(path, &connection)?;
    let mode: String =
        connection.pragma_update_and_check(None, "journal_mode", "WAL", |row| row.get(0)).map_err(failed)?;
    if mode != "wal" {
        let reason = format!(
            "this disk does not support a write-ahead log, only journal mode `{mode}`: use a local disk"
        );
        return Err(OpenError::Unusable { path: path.to_owned(), reason });
    }
    set_pragmas(&connection, options).map_err(failed)?;
    upgrade(&connection).map_err(failed)?;
    // Logs of earlier versions do not have this index. Creating it changes no row.
    let sql = "CREATE INDEX IF NOT EXISTS events_by_correlation ON events (correlation_id)";
    connection.execute_batch(sql).map_err(failed)?;
    // Removes the frames of a torn transaction. Otherwise the next scan of the WAL would find them behind new
    // frames and take them for synced ones. If a reader prevents the removal, the frames stay until
    // the WAL is copied into the database again.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
    fill_wal(path)?;
    Ok((connection, head))
}

/// Gives a log of format 1 the current columns for reading, by a temporary view that hides the table.
fn show_as_current(connection: &Connection) -> rusqlite::Result<()> {
    if row::has_reply_to(connection, "main")? {
        return Ok(());
    }
    connection.execute_batch("CREATE TEMP VIEW events AS SELECT *, NULL AS reply_to FROM main.events")
}

/// Upgrades a log of format 1 to the current format.
fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    if row::has_reply_to(connection, "main")? {
        return Ok(());
    }
    connection.execute_batch(&format!(
        "BEGIN; DROP VIEW temp.events; ALTER TABLE main.events ADD COLUMN reply_to TEXT; \
         PRAGMA main.user_version = {FORMAT}; COMMIT"
    ))
}

/// Fills an empty WAL with zeros. A sync that does not have to record a new file size takes half as long (ADR
/// 7). Zeros are not a valid header or frame, so they are never read as one.
fn fill_wal(path: &Path) -> Result<(), OpenError> {
    let unusable =
        |error: std::io::Error| OpenError::Unusable { path: path.to_owned(), reason: error.to_string() };
    let mut wal = OpenOptions::new().write(true).open(with_suffix(path, "-wal")).map_err(unusable)?;
    if wal.metadata().map_err(unusable)?.len() > 0 {
        return Ok(());
    }
    let filled = wal.write_all(&vec![0; WAL_FILLED_BYTES]).and_then(|()| wal.sync_all());
    // If this fails, for example because the disk is full, the log still opens, and the WAL grows as it is
    // written.
    filled.or_else(|_| wal.set_len(0)).map_err(unusable)
}

fn set_pragmas(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.writer_cache_kib))?;
    // `SQLite` then writes the frames of a transaction only at its commit. `wal_scan` relies on this.
    connection.pragma_update(None, "cache_spill", false)?;
    if let Some(pages) = options.pages_max {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}

/// Returns true if there is no log yet. Returns an error if only a part of a log is left.
fn is_missing(path: &Path) -> Result<bool, OpenError> {
    let damaged =
        |what: &str| OpenError::Damaged { path: path.to_owned(), position: None, what: what.to_owned() };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => Err(damaged("the file is empty")),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let wal_bytes = fs::metadata(with_suffix(path, "-wal")).map_or(0, |metadata| metadata.len());
            if wal_bytes > 0 {
                Err(damaged("the file is missing, but its write-ahead log exists"))
            } else {
                Ok(true)
            }
        }
        Err(error) => Err(OpenError::Unusable { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Creates an empty log atomically.
fn create(path: &Path) -> Result<(), OpenError> {
    let unusable =
        |error: std::io::Error| OpenError::Unusable { path: path.to_owned(), reason: error.to_string() };
    let partial = with_suffix(path, ".new");
    for leftover in [partial.clone(), with_suffix(&partial, "-journal")] {
        match fs::remove_file(leftover) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unusable(error)),
            _ => {}
        }
    }
    write_new(&partial, b"").map_err(unusable)?;
    let file = File::open(&partial).map_err(unusable)?;
    write_schema(&partial, derive_log_id(path, &file)).map_err(|error| OpenError::of_sqlite(path, &error))?;
    file.sync_all().map_err(unusable)?;
    fs::rename(&partial, path).map_err(unusable)?;
    sync_folder_of(path).map_err(unusable)
}

pub(crate) fn write_schema(path: &Path, log_id: Uuid) -> rusqlite::Result<()> {
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "page_size", i64::try_from(PAGE_BYTES).expect("a page is small"))?;
    connection.execute_batch("BEGIN")?;
    connection.pragma_update(None, "application_id", APPLICATION_ID)?;
    connection.pragma_update(None, "user_version", FORMAT)?;
    connection.execute_batch(include_str!("events.sql"))?;
    connection.execute_batch(include_str!("schema.sql"))?;
    connection.execute("INSERT INTO meta VALUES ('log-id', ?1)", [log_id.to_string()])?;
    connection.execute_batch("COMMIT")
}

/// Derives a unique id for a new log from its path and from the modification time of its file.
pub(crate) fn derive_log_id(path: &Path, file: &File) -> Uuid {
    let absolute = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let modified = file.metadata().and_then(|metadata| metadata.modified()).ok();
    let nanos = modified
        .and_then(|modified| modified.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_nanos());
    derive(Uuid::nil(), &[b"log", absolute.as_os_str().as_encoded_bytes(), &nanos.to_be_bytes()])
}

/// Reads the log's lineage: the id of its last restore, or its own id if it was never restored.
pub(crate) fn read_lineage(path: &Path, connection: &Connection) -> Result<Uuid, OpenError> {
    let sql = "SELECT count(*) FROM meta WHERE name = 'restored'";
    let is_restored: bool = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(|error| OpenError::of_sqlite(path, &error))?;
    read_id(path, connection, if is_restored { "restored" } else { "log-id" })
}

/// Reads the log's id.
pub(crate) fn read_log_id(path: &Path, connection: &Connection) -> Result<Uuid, OpenError> {
    read_id(path, connection, "log-id")
}

fn read_id(path: &Path, connection: &Connection, name: &str) -> Result<Uuid, OpenError> {
    let text: String = connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
        .map_err(|error| OpenError::of_sqlite(path, &error))?;
    Uuid::parse_str(&text).map_err(|_| OpenError::Damaged {
        path: path.to_owned(),
        position: None,
        what: "its id is malformed".to_owned(),
    })
}

/// Syncs the folder of a file, so that its creation or renaming is durable.
pub(crate) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

/// Opens the log read-only. Another process may write to it.
pub(crate) fn open_for_reading(path: &Path) -> Result<Connection, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    check_format(path, &connection)?;
    show_as_current(&connection).map_err(failed)?;
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    Ok(connection)
}

fn check_format(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let found = pragma("user_version").map_err(failed)?;
    if pragma("application_id").map_err(failed)? != APPLICATION_ID || found == 0 {
        return Err(OpenError::NotALog { path: path.to_owned() });
    }
    if found > FORMAT {
        return Err(OpenError::NewerVersion { path: path.to_owned(), found, known: FORMAT });
    }
    Ok(())
}

/// Returns the position of the last event, or 0 if the log is empty.
pub(crate) fn head_of(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT coalesce(max(position), 0) FROM events", [], |row| row.get(0))
}

/// Checks the last [`TAIL_ROWS`] rows and returns the head.
fn check_tail(path: &Path, connection: &Connection) -> Result<Position, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let head = head_of(connection).map_err(failed)?;
    let after = head.saturating_sub(TAIL_ROWS);
    let mut statement = connection.prepare(row::SELECT_ALL).map_err(failed)?;
    let mut rows = statement.query((after, head, i64::MAX)).map_err(failed)?;
    let mut expected = after + 1;
    while let Some(stored) = rows.next().map_err(failed)? {
        let damaged = |what: String| OpenError::Damaged {
            path: path.to_owned(),
            position: Some(Position(expected)),
            what,
        };
        let event = row::read_checked(stored).map_err(|RowError(what)| damaged(what))?;
        if event.position.0 != expected {
            return Err(damaged("the row is missing".to_owned()));
        }
        expected += 1;
    }
    Ok(Position(head))
}
