//! Opening the file: format, pragmas, and whether the master key is the right one.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};
use souk_private_files::make_file;

use crate::MasterKey;

/// `SKPK` as the `SQLite` application id.
const APPLICATION_ID: u32 = 0x534B_504B;
/// The format that this program writes.
const FORMAT: u32 = 2;
/// The first format that has an index of people.
const FIRST_FORMAT_WITH_INDEX: u32 = 2;
/// How long the writer waits for a reader that is in the way.
const BUSY_MAX: Duration = Duration::from_secs(5);

/// Why the keys of people can't be used. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// It can't be read or written.
    #[error("the keys of people in {} can't be used: {reason}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// It is another kind of file.
    #[error("{} holds no keys of people", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// A newer program made it.
    #[error("the keys of people in {} have format {found}, this program reads {FORMAT}: use the newer program", .path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
    },
    /// Its keys are wrapped by another master key.
    #[error(
        "master-key-wrong: the keys of people in {} are wrapped by the master key {wanted}, this one is {given}: \
         give the right one (SOUK_MASTER_KEY or SOUK_MASTER_KEY_FILE); without it personal data can't be read",
        .path.display()
    )]
    WrongMaster {
        /// The file.
        path: PathBuf,
        /// The id of the master key that is wanted.
        wanted: String,
        /// The id of the one that was given.
        given: String,
    },
}

impl OpenError {
    pub(crate) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        Self::Unusable { path: path.to_owned(), reason: error.to_string() }
    }
}

/// Opens or makes the file.
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

/// A connection that only reads.
pub(crate) fn for_reading(path: &Path) -> Result<Connection, OpenError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let open = Connection::open_with_flags(path, flags);
    open.map_err(|error| OpenError::of_sqlite(path, &error))
}

/// A connection to another file that is to be read, of the same master key.
pub(crate) fn for_merging(path: &Path, master: &MasterKey) -> Result<Connection, OpenError> {
    let connection = for_reading(path)?;
    check_format(path, &connection)?;
    check_master(path, &connection, master)?;
    Ok(connection)
}

/// Returns true if a file has an index of people.
pub(crate) fn has_index(connection: &Connection) -> rusqlite::Result<bool> {
    let format: u32 = connection.pragma_query_value(None, "user_version", |row| row.get(0))?;
    Ok(format >= FIRST_FORMAT_WITH_INDEX)
}

fn set_pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    // What is deleted is overwritten with zeros.
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
    let wanted: String = connection
        .query_row(sql, [], |row| row.get(0))
        .map_err(|error| OpenError::of_sqlite(path, &error))?;
    let given = master.id();
    if wanted == given {
        Ok(())
    } else {
        Err(OpenError::WrongMaster { path: path.to_owned(), wanted, given })
    }
}
