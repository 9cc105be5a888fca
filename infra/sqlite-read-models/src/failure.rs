//! Errors of the read models. Their messages tell the operator to delete the file only if building it again
//! helps.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::{Model, ReadModelError};

/// Reason why the read models can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is damaged, or is not a database.
    #[error("the read models {} are damaged: {reason}; all of their data is also in the log: remove the file, and the shop builds it again", .path.display())]
    Damaged {
        /// Path of the database.
        path: PathBuf,
        /// Message of `SQLite`.
        reason: String,
    },
    /// A newer program wrote the file.
    #[error("the read models {} have format {found}, this program reads formats up to {known}; all of their data is also in the log: remove the file, and the shop builds it again", .path.display())]
    NewerFormat {
        /// Path of the database.
        path: PathBuf,
        /// Format of the file.
        found: u32,
        /// Format that this program reads and writes.
        known: u32,
    },
    /// An older program wrote the file, and may still use it.
    #[error("the read models {} have format {found}, this program writes format {known}; stop the shop that uses the file, and it is built again", .path.display())]
    OlderFormat {
        /// Path of the database.
        path: PathBuf,
        /// Format of the file.
        found: u32,
        /// Format that this program reads and writes.
        known: u32,
    },
    /// The read models were made from another log.
    #[error("log-mismatch: the read models {} were made from another log than the one beside them; put that log back, or remove the file, and the shop builds it again from this log", .path.display())]
    OtherLog {
        /// Path of the database.
        path: PathBuf,
    },
    /// The file is a database of another program. It must not be deleted.
    #[error("{} is not a database of read models; move it away, and the shop builds its read models", .path.display())]
    Foreign {
        /// Path of the database.
        path: PathBuf,
    },
    /// The file can't be read or written. Building it again would not help.
    #[error("the read models {} can't be opened: {reason}", .path.display())]
    Unreadable {
        /// Path of the database.
        path: PathBuf,
        /// Message of `SQLite`.
        reason: String,
    },
}

impl OpenError {
    pub(crate) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let path = path.to_owned();
        let reason = error.to_string();
        if is_damage(error) { Self::Damaged { path, reason } } else { Self::Unreadable { path, reason } }
    }
}

/// Reason why an operation failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// A read found damage in the file.
    #[error(
        "the file is damaged: {0}; all of its data is also in the log: remove the file, and the shop builds it again"
    )]
    Damaged(rusqlite::Error),
    /// Any other error of `SQLite`.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
    /// The checkpoint of the build is not at the expected position, because another program also applies
    /// events to the build.
    #[error(
        "build {number} of read model {model} is no longer at position {from}: another program folds into it"
    )]
    CheckpointMoved {
        /// Name of the model.
        model: &'static str,
        /// Number of the build.
        number: u32,
        /// Expected position.
        from: Position,
    },
    /// A row has invalid content.
    #[error("{0}")]
    Malformed(String),
    /// The build can't become live: it does not exist, is live already, or is being removed.
    #[error("read model {model} has no build of version {version} that can become live")]
    NotOpened { model: &'static str, version: u32 },
    /// The model has no sum of this name.
    #[error("read model {model} has no sum `{sum}`")]
    NoSuchSum { model: &'static str, sum: String },
    /// The number of values of a row or sum differs from the number of columns.
    #[error("`{key}` of {table} has {actual} values, its table has {expected} columns")]
    Values { table: &'static str, key: String, actual: usize, expected: usize },
}

impl Failure {
    pub(crate) fn no_such_sum(model: &Model, sum: &str) -> Self {
        Self::NoSuchSum { model: model.name, sum: sum.to_owned() }
    }
}

impl From<Failure> for ReadModelError {
    fn from(failure: Failure) -> Self {
        let is_busy = matches!(
            &failure,
            Failure::Sqlite(error) if error.sqlite_error_code() == Some(ErrorCode::DatabaseBusy)
        );
        if is_busy { Self::Busy(failure.to_string()) } else { Self::Failed(failure.to_string()) }
    }
}

impl From<rusqlite::Error> for Failure {
    fn from(error: rusqlite::Error) -> Self {
        if is_damage(&error) { Self::Damaged(error) } else { Self::Sqlite(error) }
    }
}

fn is_damage(error: &rusqlite::Error) -> bool {
    matches!(error.sqlite_error_code(), Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase))
}
