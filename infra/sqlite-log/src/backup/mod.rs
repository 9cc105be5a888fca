//! Backups of a log while it is written to, and the way back.
//!
//! A backup is a folder of segments, each a run of positions, and a manifest that names them with their
//! checksums. Every run adds what came since the last; rows are copied in short reads, so that the
//! log's write-ahead log can be begun anew meanwhile. What the manifest doesn't name is not part of
//! the backup, so a run that was killed left nothing, and the next goes on behind the last whole segment.

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

/// Events of a segment.
pub const SEGMENT_EVENTS_MAX: u64 = 100_000;
/// Held by whoever writes to a backup.
const LOCK_FILE: &str = "backup.lock";

/// Why a backup or a restore did not happen. Nothing half-done stays.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target is there already.
    #[error("{} is there already: restore into a folder without a shop, or move it away first", .path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// No backup.
    #[error("{} is no backup ({what}): name the folder that `souk log backup` wrote to", .path.display())]
    NotABackup {
        /// What was named.
        path: PathBuf,
        /// What is there instead.
        what: String,
    },
    /// It is of another log, or of one that went another way since.
    #[error("the backup in {} is of another log than this one ({what}): name another folder", .path.display())]
    OtherLog {
        /// The backup.
        path: PathBuf,
        /// What tells them apart.
        what: String,
    },
    /// A part of it is missing or not what was written.
    #[error("the backup in {} is damaged: {what}; put that back, or begin another backup in a new folder", .path.display())]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// What is wrong and where.
        what: String,
    },
    /// The log itself is damaged: a copy of that is no backup.
    #[error("the log can't be backed up, it is damaged: {0}; see `souk log verify`")]
    DamagedLog(String),
    /// Somebody else writes to it.
    #[error("another backup is being written in {}", .path.display())]
    Busy {
        /// The backup.
        path: PathBuf,
    },
    /// A log can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Copying failed.
    #[error("copying failed: {0}")]
    Copy(#[from] rusqlite::Error),
    /// A file can't be read or written.
    #[error("{} can't be used: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

pub(crate) fn io(path: &Path) -> impl FnOnce(std::io::Error) -> BackupError {
    let path = path.to_owned();
    move |error| BackupError::Io { path, error }
}

/// What a run added.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct BackedUp {
    /// Segments that were added.
    pub segments: u64,
    /// Events that were added.
    pub events: u64,
    /// The position of the backup's last event.
    pub last: Position,
}

/// Copies what a backup lacks of the log of a folder, beside whoever writes to that. `progress` is told
/// events copied and events to copy. Call it where blocking is allowed.
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
        let (path, what) = (target.to_owned(), "it is a file".to_owned());
        return Err(BackupError::NotABackup { path, what });
    }
    make_folder(target).map_err(io(target))?;
    if !target.join(MANIFEST_FILE).exists() && !is_empty(target)? {
        // Nothing is left in a folder of something else.
        return Err(Manifest::read(target).err().unwrap_or(BackupError::Busy { path: target.to_owned() }));
    }
    let lock = open_file(&target.join(LOCK_FILE)).map_err(io(target))?;
    if lock.try_lock().is_err() {
        return Err(BackupError::Busy { path: target.to_owned() });
    }
    let mut manifest = match Manifest::read(target) {
        Ok(manifest) => manifest,
        Err(BackupError::NotABackup { .. }) if is_empty(target)? => {
            // From now on it is a backup, whatever becomes of the first segment.
            let manifest = Manifest::new(id);
            manifest.write(target)?;
            manifest
        }
        Err(error) => return Err(error),
    };
    let head = open::head_of(&log)?;
    go_on(target, &manifest, id, head, &log)?;
    let first = manifest.last();
    let mut done = BackedUp { segments: 0, events: 0, last: Position(first) };
    while manifest.last() < head {
        let from = manifest.last() + 1;
        let to = head.min(manifest.last() + SEGMENT_EVENTS_MAX);
        let copied = |position| progress(position - first, head - first);
        let segment = segment::write(&source, target, manifest.segments.len() + 1, from, to, copied)?;
        done.segments += 1;
        done.events += segment.last - segment.first + 1;
        manifest.add(segment);
        manifest.write(target)?;
    }
    done.last = Position(manifest.last());
    Ok(done)
}

/// Whether nothing but our lock is in a folder.
fn is_empty(folder: &Path) -> Result<bool, BackupError> {
    for entry in fs::read_dir(folder).map_err(io(folder))? {
        if entry.map_err(io(folder))?.file_name() != LOCK_FILE {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Refuses to go on with a backup of another log, or of one that holds something else where the backup
/// ends.
fn go_on(
    target: &Path,
    manifest: &Manifest,
    id: Uuid,
    head: u64,
    log: &rusqlite::Connection,
) -> Result<(), BackupError> {
    let other = |what: String| BackupError::OtherLog { path: target.to_owned(), what };
    if manifest.log_id != id {
        return Err(other(format!("its id is {}, the log's {id}", manifest.log_id)));
    }
    check(target, &mut |_, _| ())?;
    let Some(last) = manifest.segments.last() else { return Ok(()) };
    if last.last > head {
        return Err(other(format!("it ends at position {}, the log at {head}", last.last)));
    }
    let mut statement = log.prepare(row::SELECT_ALL)?;
    let mut rows = statement.query((last.last - 1, last.last, 1))?;
    let stored = rows.next()?.map(|row| row.get::<_, u32>(14)).transpose()?;
    if stored == Some(last.last_checksum) {
        return Ok(());
    }
    Err(other(format!("at position {} it holds another event", last.last)))
}

/// Whether something is where nothing may be.
pub(crate) fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(BackupError::Exists { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(io(path)(error)),
    }
}
