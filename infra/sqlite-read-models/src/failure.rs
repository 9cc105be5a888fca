//! What can go wrong, and what to do about it: read models are thrown away and built again, but only
//! when that helps.

use std::path::{Path, PathBuf};

use rusqlite::ErrorCode;
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::{Model, ReadModelError};

/// Why the read models can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file is broken or no database at all.
    #[error("the read models {} are damaged: {reason}; they hold nothing that is not in the log: remove the file, and they are made again", .path.display())]
    Damaged {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A later program wrote it.
    #[error("the read models {} have format {found}, this program knows up to {known}; they hold nothing that is not in the log: remove the file, and they are made again", .path.display())]
    NewerFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The newest known one.
        known: u32,
    },
    /// An earlier program wrote it, and may still use it.
    #[error("the read models {} have format {found}, this program makes {known}; stop the shop that uses them, and they are made anew", .path.display())]
    OlderFormat {
        /// The file.
        path: PathBuf,
        /// Its format.
        found: u32,
        /// The one that is wanted.
        known: u32,
    },
    /// They were made from another log.
    #[error("log-mismatch: the read models {} were made from another log than the one beside them; put that log back, or remove the file, and they are made again from this one", .path.display())]
    OtherLog {
        /// The file.
        path: PathBuf,
    },
    /// A database of something else. It is not ours to remove.
    #[error("{} holds no read models of a shop but something else; move it elsewhere, the read models are then built again", .path.display())]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file can't be read or written just now; building anew would not help.
    #[error("the read models {} can't be opened: {reason}", .path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

impl OpenError {
    pub(crate) fn of_sqlite(path: &Path, error: &rusqlite::Error) -> Self {
        let (path, reason) = (path.to_owned(), error.to_string());
        if is_damage(error) { Self::Damaged { path, reason } } else { Self::Unreadable { path, reason } }
    }
}

/// Why work was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    /// Damage that showed only when it was read.
    #[error(
        "it is damaged: {0}; it holds nothing that is not in the log: remove the file, and they are made again"
    )]
    Damaged(rusqlite::Error),
    /// Anything else.
    #[error("{0}")]
    Sqlite(rusqlite::Error),
    /// A change from a position where the build is not: somebody else folds into it.
    #[error(
        "build {number} of read model {model} is no longer at position {from}: another program folds into it"
    )]
    Elsewhere {
        /// The model.
        model: &'static str,
        /// The build.
        number: u32,
        /// Where it was believed to be.
        from: Position,
    },
    /// A row that nobody wrote so.
    #[error("{0}")]
    Malformed(String),
    /// A change to a build whose tables were not made, or are being removed.
    #[error("there is no such build of version {version} of read model {model}")]
    NotOpened { model: &'static str, version: u32 },
    /// No such sum.
    #[error("read model {model} has no sum `{sum}`")]
    NoSuchSum { model: &'static str, sum: String },
    /// As many values as columns must be given.
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
