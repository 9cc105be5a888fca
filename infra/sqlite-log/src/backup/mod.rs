//! Backup and restore of a log. The log may be written during the backup.
//!
//! A backup is a folder with segments, which are files with the events of a range of positions, and a
//! manifest, which lists the segments with their checksums. Every run adds the events since the last run.
//! Rows are copied in short reads, so that the write-ahead log can be reset between them. A file that the
//! manifest does not list is not part of the backup. So after a crash, the next run continues after the last
//! complete segment.

mod manifest;
mod restore;
mod segment;

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use souk_eventsourcing::Position;
use souk_private_files::{make_folder, open_file};
use uuid::Uuid;

use crate::{LOG_FILE, OpenError, open, row, wal_scan};

pub use manifest::{MANIFEST_FILE, Manifest, Segment};
pub use restore::{check, restore};

/// Limit of events in one segment.
pub const SEGMENT_EVENTS_MAX: u64 = 100_000;
/// Lock file of the process that writes to the backup.
const LOCK_FILE: &str = "backup.lock";

/// Reason why a backup or a restore failed. No partial files stay.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target of the restore already exists.
    #[error("{} already exists: restore into a folder without a shop, or move it away first", .path.display())]
    Exists {
        /// Path of the target.
        path: PathBuf,
    },
    /// The folder is not a backup.
    #[error("{} is not a backup ({what}): choose the folder that `souk log backup` wrote to", .path.display())]
    NotABackup {
        /// Path of the folder.
        path: PathBuf,
        /// Reason why it is not a backup.
        what: String,
    },
    /// The backup belongs to another log, or to this log before it was restored and got other events.
    #[error("the backup in {} belongs to another log ({what}): choose another folder", .path.display())]
    OtherLog {
        /// Path of the backup.
        path: PathBuf,
        /// The difference between the backup and the log.
        what: String,
    },
    /// A file of the backup is missing or has changed.
    #[error("the backup in {} is damaged: {what}; put the right file back, or start another backup in a new folder", .path.display())]
    Damaged {
        /// Path of the backup.
        path: PathBuf,
        /// Description of the damage.
        what: String,
    },
    /// The log itself is damaged.
    #[error("the log can't be backed up because it is damaged: {0}; run `souk log verify`")]
    DamagedLog(String),
    /// Another process writes to the backup.
    #[error("another process is writing the backup in {}", .path.display())]
    Busy {
        /// Path of the backup.
        path: PathBuf,
    },
    /// The log can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Copying the rows failed.
    #[error("copying failed: {0}")]
    Copy(#[from] rusqlite::Error),
    /// A file can't be read or written.
    #[error("{} can't be used: {error}", .path.display())]
    Io {
        /// Path of the file.
        path: PathBuf,
        /// Error of the operating system.
        error: std::io::Error,
    },
}

pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Io { path, error }
}

/// Result of a backup run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Number of segments that were added.
    pub segments: u64,
    /// Number of events that were added.
    pub events: u64,
    /// Position of the last event in the backup.
    pub last: Position,
}

/// Copies the events that the backup in `target` does not have yet from the log in `folder`. Another process
/// may write to the log. `progress` is called with the number of copied events and the total. Blocks the
/// calling thread.
pub fn backup(
    folder: &Path,
    target: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<BackedUp, BackupError> {
    let source = folder.join(LOG_FILE);
    wal_scan::check(&source)?;
    let log = open::open_for_reading(&source)?;
    let id = open::read_log_id(&source, &log)?;
    if target.is_file() {
        return Err(BackupError::NotABackup { path: target.to_owned(), what: "it is a file".to_owned() });
    }
    make_folder(target).map_err(io(target))?;
    if !target.join(MANIFEST_FILE).exists() && !is_empty(target)? {
        // The folder belongs to something else. Nothing is written to it, not even the lock file.
        return Err(Manifest::read(target).err().unwrap_or(BackupError::Busy { path: target.to_owned() }));
    }
    let lock = open_file(&target.join(LOCK_FILE)).map_err(io(target))?;
    if lock.try_lock().is_err() {
        return Err(BackupError::Busy { path: target.to_owned() });
    }
    let mut manifest = match Manifest::read(target) {
        Ok(manifest) => manifest,
        Err(BackupError::NotABackup { .. }) if is_empty(target)? => {
            // The manifest is written first, so that the folder is a backup even if the first segment fails.
            let manifest = Manifest::new(id);
            manifest.write(target)?;
            manifest
        }
        Err(error) => return Err(error),
    };
    let head = open::head_of(&log)?;
    check_same_log(target, &manifest, id, head, &log)?;
    let first = manifest.last();
    let mut result = BackedUp { segments: 0, events: 0, last: Position(first) };
    while manifest.last() < head {
        let from = manifest.last() + 1;
        let to = head.min(manifest.last() + SEGMENT_EVENTS_MAX);
        let copied = |position| progress(position - first, head - first);
        let segment = segment::write(&source, target, manifest.segments.len() + 1, from, to, copied)?;
        result.segments += 1;
        result.events += segment.last - segment.first + 1;
        manifest.add(segment);
        manifest.write(target)?;
    }
    result.last = Position(manifest.last());
    Ok(result)
}

/// Returns true if the folder has no file except the lock file.
fn is_empty(folder: &Path) -> Result<bool, BackupError> {
    for entry in fs::read_dir(folder).map_err(io(folder))? {
        if entry.map_err(io(folder))?.file_name() != LOCK_FILE {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Checks that the backup belongs to this log: the id is the same, and the log has the same event at the
/// position where the backup ends.
fn check_same_log(
    target: &Path,
    manifest: &Manifest,
    id: Uuid,
    head: u64,
    log: &rusqlite::Connection,
) -> Result<(), BackupError> {
    let other = |what: String| BackupError::OtherLog { path: target.to_owned(), what };
    if manifest.log_id != id {
        return Err(other(format!("its log id is {}, but this log has the id {id}", manifest.log_id)));
    }
    check(target, &mut |_, _| ())?;
    let Some(last) = manifest.segments.last() else { return Ok(()) };
    if last.last > head {
        return Err(other(format!("it ends at position {}, but the log ends at {head}", last.last)));
    }
    let mut statement = log.prepare(row::SELECT_ALL)?;
    let mut rows = statement.query((last.last - 1, last.last, 1))?;
    let stored = rows.next()?.map(|row| row.get::<_, u32>(14)).transpose()?;
    if stored == Some(last.last_checksum) {
        return Ok(());
    }
    Err(other(format!("at position {} it holds another event", last.last)))
}

/// Returns an error if the path exists.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(BackupError::Exists { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(path)(error)),
    }
}
