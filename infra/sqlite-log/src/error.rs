//! Why a log can't be opened.

use std::path::{Path, PathBuf};

use souk_eventsourcing::{Position, StoreError};

/// A refusal to open.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be used at all.
    #[error("the log {} can't be opened: {reason}", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What the system said.
        reason: String,
    },
    /// Made by a newer program.
    #[error("the log {} has format {found}, this program knows up to {known}: use the newer program", .path.display())]
    NewerVersion {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest format known here.
        known: u32,
    },
    /// Not a log of this shop.
    #[error("{} is no log of a shop: name another data folder", .path.display())]
    NotALog {
        /// The file.
        path: PathBuf,
    },
    /// Damage was found. It is never read over: acknowledged events lie behind it.
    #[error("log-damaged: the log {} is damaged{}: {what}; move it and its -wal file away and restore a backup (`souk log restore FOLDER`)", .path.display(),
        .position.map(|position| format!(" at position {position}")).unwrap_or_default())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// Where.
        position: Option<Position>,
        /// What is wrong.
        what: String,
    },
}

impl OpenError {
    /// What `SQLite` said on opening, in our words.
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

/// A read that failed: in `SQLite`, or over a row that is not what was written.
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
