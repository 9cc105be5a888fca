//! What keeps a process from folding the log.

use crate::parking::Poison;

/// Why the log can't be folded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProcessError {
    /// An event can't be taken in.
    #[error("process {process}: {poison}")]
    Poisoned {
        /// The process.
        process: &'static str,
        /// Which event for what.
        poison: Box<Poison>,
    },
    /// A row of process state doesn't decode; without the rows the log is read from its start.
    #[error("a stored instance of process {process} can't be read: {reason}")]
    Row {
        /// The process.
        process: &'static str,
        /// What is wrong with it.
        reason: String,
    },
}
