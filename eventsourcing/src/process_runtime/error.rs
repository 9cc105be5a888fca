//! Errors of the process runtime.

use crate::parking::ApplyFailure;

/// Reason why the runtime can't process the log or its stored rows.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProcessError {
    /// An event can't be applied. The driver parks the entity and continues.
    #[error("process {process}: {failure}")]
    ApplyFailed {
        /// Name of the process.
        process: &'static str,
        /// Event, and the entity to which it can't be applied.
        failure: Box<ApplyFailure>,
    },
    /// A row of process state can't be decoded. The driver drops the rows and reads the log from its start.
    #[error("a stored instance of process {process} can't be read: {reason}")]
    Row {
        /// Name of the process.
        process: &'static str,
        /// Error message of the decoder.
        reason: String,
    },
}
