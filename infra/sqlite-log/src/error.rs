//! Errors of opening and reading a log.

use std::path::{Path, PathBuf};

use souk_eventsourcing::{Position, StoreError};

/// Reason why a log can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be read or written.
    #[error("the log {} can't be opened: {reason}", .path.display())]
    Unusable {
        /// Path of the log.
        path: PathBuf,
        /// Message of the operating system or of `SQLite`.
        reason: String,
    },
    /// A newer program wrote the log.
    #[error("the log {} has format {found}, this program reads formats up to {known}: use the newer program", .path.display())]
    NewerVersion {
        /// Path of the log.
        path: PathBuf,
        /// Format of the log.
        found: u32,
        /// Newest format that this program reads.
        known: u32,
    },
    /// The file is not a log of a shop.
    #[error("{} is not the log of a shop: choose another data folder", .path.display())]
    NotALog {
        /// Path of the log.
        path: PathBuf,
    },
    /// The log is damaged. It is not opened, because acknowledged events may be lost behind the damage.
    #[error("log-damaged: the log {} is damaged{}: {what}; move it and its -wal file away and restore a backup (`souk log restore FOLDER`)", .path.display(),
        .position.map(|position| format!(" at position {position}")).unwrap_or_default())]
    Damaged {
        /// Path of the log.
        path: PathBuf,
        /// Position of the damaged event, if known.
        position: Option<Position>,
        /// Description of the damage.
        what: String,
    },
}

impl OpenError {
    /// Converts an error that `SQLite` returned while the log was opened.
    pub(crate) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(NotADatabase) => Self::NotALog { path },
            Some(DatabaseCorrupt) => Self::Damaged { path, position: None, what: error.to_string() },
            _ => Self::Unusable { path, reason: error.to_string() },
        }
    }
}

/// Reason why a read failed: an error of `SQLite`, or a damaged row.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReadError {
    #[error(transparent)]
    Sqlite(#[from] rusqlite::Error),
    #[error("position {position}: {what}")]
    Row { position: i64, what: String },
}

impl From<ReadError> for StoreError {
    fn from(error: ReadError) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let is_damage = match &error {
            ReadError::Row { .. } => true,
            ReadError::Sqlite(error) => {
                matches!(error.sqlite_error_code(), Some(DatabaseCorrupt | NotADatabase))
            }
        };
        if is_damage { Self::Damaged(error.to_string()) } else { Self::Unavailable(error.to_string()) }
    }
}
