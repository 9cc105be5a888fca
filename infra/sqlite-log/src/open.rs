//! Opening the file: making it, pragmas, format, and a look at the tail.
//!
//! A log is made under another name and renamed when it is whole: a file that is there under the log's
//! name is a log or it is damaged, also when it is empty. Nothing is written to a file before it has
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
/// The format that this program writes. Format 1 has no column `reply_to`; such a log is given one when it is
/// opened for writing, which changes no row.
pub(crate) const FORMAT: u32 = 2;
/// The size of a page of the file.
pub(crate) const PAGE_BYTES: usize = 4_096;
/// What of the WAL's file is kept when it is begun anew: writing over it costs less than growing it.
const WAL_KEPT_BYTES: i64 = 64 * 1024 * 1024;
/// What of the WAL's file is there from the start, for the same reason: enough for the frames that make
/// a checkpoint due and for those that come while it runs.
const WAL_FILLED_BYTES: usize = 20 * 1024 * 1024;
/// Rows at the end of the log that are checked at every start.
const TAIL_ROWS: u64 = 1_000;

/// A file that belongs to another by its name, as `SQLite` names them.
pub(crate) fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// Opens or makes the log and says where it ends.
pub(crate) fn open_for_writing(path: &Path, options: &Options) -> Result<(Connection, Position), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    if is_to_be_made(path)? {
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
        let reason = format!("it can't keep a write-ahead log there, only `{mode}`: use a local disk");
        return Err(OpenError::Unusable { path: path.to_owned(), reason });
    }
    set_pragmas(&connection, options).map_err(failed)?;
    upgrade(&connection).map_err(failed)?;
    // Logs of earlier programs have none; it changes no row.
    let sql = "CREATE INDEX IF NOT EXISTS events_by_correlation ON events (correlation_id)";
    connection.execute_batch(sql).map_err(failed)?;
    // Frames of a torn transaction must not stay behind those written from now on: the next look at
    // the WAL would take them for synced ones. A reader that is in the way only puts this off.
    connection.query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |_| Ok(())).map_err(failed)?;
    fill_wal(path)?;
    Ok((connection, head))
}

/// Shows the rows of a log of format 1 with the columns of today, by a view that hides their table.
fn show_as_current(connection: &Connection) -> rusqlite::Result<()> {
    if row::has_reply_to(connection, "main")? {
        return Ok(());
    }
    connection.execute_batch("CREATE TEMP VIEW events AS SELECT *, NULL AS reply_to FROM main.events")
}

/// Brings a log of format 1 to the format of today.
fn upgrade(connection: &Connection) -> rusqlite::Result<()> {
    if row::has_reply_to(connection, "main")? {
        return Ok(());
    }
    connection.execute_batch(&format!(
        "BEGIN; DROP VIEW temp.events; ALTER TABLE main.events ADD COLUMN reply_to TEXT; \
         PRAGMA main.user_version = {FORMAT}; COMMIT"
    ))
}

/// Writes zeros where the WAL's frames will be: a sync that has no growth of a file to note takes half
/// as long (ADR 7). Zeros are no header and no frame, so nobody takes them for either.
fn fill_wal(path: &Path) -> Result<(), OpenError> {
    let unusable =
        |error: std::io::Error| OpenError::Unusable { path: path.to_owned(), reason: error.to_string() };
    let mut wal = OpenOptions::new().write(true).open(beside(path, "-wal")).map_err(unusable)?;
    if wal.metadata().map_err(unusable)?.len() > 0 {
        return Ok(());
    }
    let filled = wal.write_all(&vec![0; WAL_FILLED_BYTES]).and_then(|()| wal.sync_all());
    // No room for that is no reason not to open: the WAL then grows as it is written.
    filled.or_else(|_| wal.set_len(0)).map_err(unusable)
}

fn set_pragmas(connection: &Connection, options: &Options) -> rusqlite::Result<()> {
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "wal_autocheckpoint", 0)?;
    connection.pragma_update(None, "journal_size_limit", WAL_KEPT_BYTES)?;
    connection.pragma_update(None, "cache_size", -i64::from(options.writer_cache_kib))?;
    // Nothing reaches the WAL before its commit does, which is what the look at the WAL relies on.
    connection.pragma_update(None, "cache_spill", false)?;
    if let Some(pages) = options.pages_max {
        connection.pragma_update(None, "max_page_count", pages)?;
    }
    Ok(())
}

/// Whether there is no log yet; refuses what is left of one.
fn is_to_be_made(path: &Path) -> Result<bool, OpenError> {
    let damaged =
        |what: &str| OpenError::Damaged { path: path.to_owned(), position: None, what: what.to_owned() };
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => Err(damaged("it is an empty file")),
        Ok(_) => Ok(false),
        Err(error) if error.kind() == ErrorKind::NotFound => {
            let wal_bytes = fs::metadata(beside(path, "-wal")).map_or(0, |metadata| metadata.len());
            if wal_bytes > 0 {
                Err(damaged("it is missing, only its write-ahead log is there"))
            } else {
                Ok(true)
            }
        }
        Err(error) => Err(OpenError::Unusable { path: path.to_owned(), reason: error.to_string() }),
    }
}

/// Makes an empty log: whole, or not at all.
fn create(path: &Path) -> Result<(), OpenError> {
    let unusable =
        |error: std::io::Error| OpenError::Unusable { path: path.to_owned(), reason: error.to_string() };
    let partial = beside(path, ".new");
    for left_over in [partial.clone(), beside(&partial, "-journal")] {
        match fs::remove_file(left_over) {
            Err(error) if error.kind() != ErrorKind::NotFound => return Err(unusable(error)),
            _ => {}
        }
    }
    write_new(&partial, b"").map_err(unusable)?;
    let file = File::open(&partial).map_err(unusable)?;
    write_schema(&partial, log_id(path, &file)).map_err(|error| OpenError::of_sqlite(path, &error))?;
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

/// Tells this log from others: of its place and of the time that the file system gave its file.
pub(crate) fn log_id(path: &Path, file: &File) -> Uuid {
    let place = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
    let made = file.metadata().and_then(|metadata| metadata.modified()).ok();
    let nanos =
        made.and_then(|made| made.duration_since(UNIX_EPOCH).ok()).map_or(0, |since| since.as_nanos());
    derive(Uuid::nil(), &[b"log", place.as_os_str().as_encoded_bytes(), &nanos.to_be_bytes()])
}

/// Tells a log that was restored from itself before: what was made from the one is not the other's.
pub(crate) fn read_lineage(path: &Path, connection: &Connection) -> Result<Uuid, OpenError> {
    let sql = "SELECT count(*) FROM meta WHERE name = 'restored'";
    let is_restored: bool = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(|error| OpenError::of_sqlite(path, &error))?;
    read_id(path, connection, if is_restored { "restored" } else { "log-id" })
}

/// The log's id.
pub(crate) fn read_log_id(path: &Path, connection: &Connection) -> Result<Uuid, OpenError> {
    read_id(path, connection, "log-id")
}

fn read_id(path: &Path, connection: &Connection, name: &str) -> Result<Uuid, OpenError> {
    let text: String = connection
        .query_row("SELECT value FROM meta WHERE name = ?1", [name], |row| row.get(0))
        .map_err(|error| OpenError::of_sqlite(path, &error))?;
    let malformed = || "its id is malformed".to_owned();
    Uuid::parse_str(&text).map_err(|_| OpenError::Damaged {
        path: path.to_owned(),
        position: None,
        what: malformed(),
    })
}

/// Makes a rename or a new file durable.
pub(crate) fn sync_folder_of(path: &Path) -> std::io::Result<()> {
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all())
}

/// Opens the log to read it, beside whoever writes.
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

/// The position of the last event.
pub(crate) fn head_of(connection: &Connection) -> rusqlite::Result<u64> {
    connection.query_row("SELECT coalesce(max(position), 0) FROM events", [], |row| row.get(0))
}

/// Checks the last rows and returns the head.
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
