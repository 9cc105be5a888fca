//! Why a log can't be opened.

use std::path::PathBuf;

use souk_eventsourcing::Position;

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
    #[error("log-damaged: the log {} is damaged {}: {what}; restore a backup (`souk log restore`)", .path.display(),
        .position.map(|position| format!("at position {position}")).unwrap_or_default())]
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
    /// What SQLite said on opening, in our words.
    pub(crate) fn of_sqlite(path: &std::path::Path, error: &rusqlite::Error) -> Self {
        use rusqlite::ErrorCode::{DatabaseCorrupt, NotADatabase};
        let path = path.to_owned();
        match error.sqlite_error_code() {
            Some(NotADatabase) => Self::NotALog { path },
            Some(DatabaseCorrupt) => Self::Damaged { path, position: None, what: error.to_string() },
            _ => Self::Unusable { path, reason: error.to_string() },
        }
    }
}
