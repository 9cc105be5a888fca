//! Opens the file: checks its format and sets the pragmas.

use std::cmp::Ordering;
use std::path::Path;
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use souk_private_files::make_file;
use uuid::Uuid;

use crate::OpenError;

/// `SKRM` as the `SQLite` application id.
const APPLICATION_ID: u32 = 0x534B_524D;
/// Version of the file format that this program writes.
const FORMAT: u32 = 3;
/// Longest wait for another process that holds the write lock.
const BUSY_MAX: Duration = Duration::from_secs(10);

/// Memory and disk use of the writer.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Size of the page cache, in KiB.
    cache_kib: i64,
    /// Size of the WAL, in frames, at which it is moved into the database.
    checkpoint_frames: u32,
}

impl Tuning {
    /// For a running shop: checkpoints of about 8 MiB, which take about ten milliseconds.
    pub const SERVING: Self = Self { cache_kib: 8 * 1024, checkpoint_frames: 2_000 };
    /// For a rebuild without a running shop: rows that change often are rarely written to the disk. Measured
    /// with ten months of trading: 114,000 events per second with [`Tuning::SERVING`], 141,000 with this
    /// tuning.
    pub const REBUILDING: Self = Self { cache_kib: 256 * 1024, checkpoint_frames: 32_000 };
}

/// File size to which the WAL is cut after it was copied into the database, in bytes.
const WAL_BYTES_KEPT: i64 = 64 * 1024 * 1024;
/// Limit of cached prepared statements. Every model needs a few.
const STATEMENTS_MAX: usize = 200;

/// Opens or creates the database.
pub(crate) fn for_writing(path: &Path, log: Uuid, tuning: Tuning) -> Result<Connection, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    make_file(path)
        .map_err(|error| OpenError::Unreadable { path: path.to_owned(), reason: error.to_string() })?;
    let connection = Connection::open(path).map_err(failed)?;
    let is_new: bool = connection
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if is_new {
        connection.pragma_update(None, "application_id", APPLICATION_ID).map_err(failed)?;
        connection.pragma_update(None, "user_version", FORMAT).map_err(failed)?;
    } else {
        check_format(path, &connection)?;
    }
    prepare(&connection, tuning).map_err(failed)?;
    let sql = "INSERT INTO meta VALUES ('log-id', ?1) ON CONFLICT DO NOTHING";
    connection.execute(sql, [log.to_string()]).map_err(failed)?;
    let made_from: String = connection
        .query_row("SELECT value FROM meta WHERE name = 'log-id'", [], |row| row.get(0))
        .map_err(failed)?;
    if made_from == log.to_string() {
        Ok(connection)
    } else {
        Err(OpenError::OtherLog { path: path.to_owned() })
    }
}

/// Opens the database read-only and begins a transaction, so that all reads see the same state. Another
/// process may write to the database.
pub(crate) fn for_reading(path: &Path) -> rusqlite::Result<Connection> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let connection = Connection::open_with_flags(path, flags)?;
    connection.execute_batch("BEGIN")?;
    Ok(connection)
}

/// Deletes a database of an older format. All of its data is also in the log.
pub(crate) fn remove_older(path: &Path) -> Result<(), OpenError> {
    if !path.exists() {
        return Ok(());
    }
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let connection = Connection::open(path).map_err(failed)?;
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    let is_ours = pragma("application_id").map_err(failed)? == APPLICATION_ID;
    let is_older = is_ours && pragma("user_version").map_err(failed)? < FORMAT;
    drop(connection);
    if is_older { remove(path) } else { Ok(()) }
}

fn remove(path: &Path) -> Result<(), OpenError> {
    for suffix in ["", "-wal", "-shm"] {
        let mut name = path.as_os_str().to_owned();
        name.push(suffix);
        match std::fs::remove_file(&name) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                return Err(OpenError::Unreadable { path: path.to_owned(), reason: error.to_string() });
            }
            _ => {}
        }
    }
    Ok(())
}

fn check_format(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    if pragma("application_id").map_err(failed)? != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let found = pragma("user_version").map_err(failed)?;
    match found.cmp(&FORMAT) {
        Ordering::Equal => Ok(()),
        Ordering::Greater => Err(OpenError::NewerFormat { path: path.to_owned(), found, known: FORMAT }),
        Ordering::Less => Err(OpenError::OlderFormat { path: path.to_owned(), found, known: FORMAT }),
    }
}

fn prepare(connection: &Connection, tuning: Tuning) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.busy_timeout(BUSY_MAX)?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -tuning.cache_kib)?;
    connection.pragma_update(None, "wal_autocheckpoint", tuning.checkpoint_frames)?;
    connection.pragma_update(None, "journal_size_limit", WAL_BYTES_KEPT)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.execute_batch(include_str!("schema.sql"))
}
