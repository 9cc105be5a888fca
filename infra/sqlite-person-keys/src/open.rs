//! Opens the file: checks its format and the master key, and sets the pragmas.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use souk_private_files::make_file;

use crate::MasterKey;

/// `SKPK` as the `SQLite` application id.
const APPLICATION_ID: u32 = 0x534B_504B;
/// Version of the file format that this program writes.
const FORMAT: u32 = 2;
/// First format with the index of people (tables `aliases` and `links`).
const FIRST_FORMAT_WITH_INDEX: u32 = 2;
/// Longest wait of the writer for a reader that holds a lock.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Reason why the store of person keys can't be opened. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be read or written.
    #[error("the person keys in {} can't be used: {reason}", .path.display())]
    Unusable {
        /// Path of the file.
        path: PathBuf,
        /// Message of the operating system or of `SQLite`.
        reason: String,
    },
    /// The file is not a store of person keys.
    #[error("{} is not a store of person keys", .path.display())]
    Foreign {
        /// Path of the file.
        path: PathBuf,
    },
    /// A newer program wrote the file.
    #[error("the person keys in {} have format {found}, this program reads {FORMAT}: use the newer program", .path.display())]
    NewerFormat {
        /// Path of the file.
        path: PathBuf,
        /// Format of the file.
        found: u32,
    },
    /// The stored keys are encrypted with another master key.
    #[error(
        "master-key-wrong: the person keys in {} are encrypted with the master key {expected}, but the \
         configured one is {configured}: configure the right one (SOUK_MASTER_KEY or SOUK_MASTER_KEY_FILE); \
         without it personal data can't be read",
        .path.display()
    )]
    WrongMaster {
        /// Path of the file.
        path: PathBuf,
        /// Id of the master key that encrypts the stored keys.
        expected: String,
        /// Id of the master key in the configuration.
        configured: String,
    },
}

impl OpenError {
    pub(crate) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        Self::Unusable { path: path.to_owned(), reason: error.to_string() }
    }
}

/// Opens or creates the file for the writer.
pub(crate) fn for_writing(path: &Path, master: &MasterKey) -> Result<Connection, OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    make_file(path)
        .map_err(|error| OpenError::Unusable { path: path.to_owned(), reason: error.to_string() })?;
    let mut connection = Connection::open(path).map_err(failed)?;
    connection.busy_timeout(BUSY_MAX).map_err(failed)?;
    let is_new: bool = connection
        .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))
        .map_err(failed)?;
    if !is_new {
        check_format(path, &connection)?;
        check_master(path, &connection, master)?;
    }
    set_pragmas(&connection).map_err(failed)?;
    if is_new {
        create(&mut connection, master).map_err(failed)?;
    } else {
        upgrade(&mut connection).map_err(failed)?;
    }
    Ok(connection)
}

/// Opens a read-only connection.
pub(crate) fn for_reading(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = Connection::open_with_flags(path, flags);
    open.map_err(|error| OpenError::of_sqlite(path, &error))
}

/// Opens another store with the same master key, read-only.
pub(crate) fn for_merging(path: &Path, master: &MasterKey) -> Result<Connection, OpenError> {
    let connection = for_reading(path)?;
    check_format(path, &connection)?;
    check_master(path, &connection, master)?;
    Ok(connection)
}

/// Returns true if the file has an index of people.
pub(crate) fn has_index(connection: &Connection) -> rusqlite::Result<bool> {
    let format: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(format >= FIRST_FORMAT_WITH_INDEX)
}

fn set_pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // Deleted rows are overwritten with zeros.
    connection.pragma_update(None, "secure_delete", true)
}

fn create(connection: &mut Connection, master: &MasterKey) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(include_str!("schema.sql"))?;
    transaction.execute_batch(include_str!("index.sql"))?;
    transaction.execute("INSERT INTO meta VALUES ('master', ?1)", [master.id()])?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", FORMAT)?;
    transaction.commit()
}

/// Adds the index of people to a store of format 1.
fn upgrade(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let found: u32 = transaction.pragma_query_value(None, "user_version", |row| row.get(0))?;
    if found < FORMAT {
        transaction.execute_batch(include_str!("index.sql"))?;
        transaction.pragma_update(None, "user_version", FORMAT)?;
    }
    transaction.commit()
}

pub(crate) fn check_format(path: &Path, connection: &Connection) -> Result<(), OpenError> {
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
    if pragma("application_id").map_err(failed)? != APPLICATION_ID {
        return Err(OpenError::Foreign { path: path.to_owned() });
    }
    let found = pragma("user_version").map_err(failed)?;
    if found > FORMAT { Err(OpenError::NewerFormat { path: path.to_owned(), found }) } else { Ok(()) }
}

fn check_master(path: &Path, connection: &Connection, master: &MasterKey) -> Result<(), OpenError> {
    let sql = "SELECT value FROM meta WHERE name = 'master'";
    let expected: String = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(|error| OpenError::of_sqlite(path, &error))?;
    let configured = master.id();
    if expected == configured {
        Ok(())
    } else {
        Err(OpenError::WrongMaster { path: path.to_owned(), expected, configured })
    }
}
