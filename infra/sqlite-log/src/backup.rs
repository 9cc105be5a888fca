//! A consistent copy of the log while it is written to, and the way back.
//!
//! A copy is made under another name and takes its place by a rename when it is whole, synced and, on
//! the way back, verified. When anything fails nothing is left of it.

use std::fs::{self, File};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::verify::verify_file;
use crate::{LOG_FILE, OpenError, open, wal_scan};

/// Pages copied in one step.
const STEP_PAGES: i32 = 1_000;
/// Steps in a row that may find the file busy.
const BUSY_STEPS_MAX: u32 = 1_000;
/// The wait after each.
const BUSY_WAIT: Duration = Duration::from_millis(5);

/// Why a backup or a restore did not happen. Nothing half-done stays.
#[derive(Debug, thiserror::Error)]
pub enum BackupError {
    /// The target is there already.
    #[error("{} is there already: name another place, or move it away first", .path.display())]
    Exists {
        /// The target.
        path: PathBuf,
    },
    /// The backup is no log, or a damaged one.
    #[error("the backup {} can't be restored: {problems} problems, the first: {first}", .path.display())]
    Damaged {
        /// The backup.
        path: PathBuf,
        /// How many problems.
        problems: u64,
        /// The first.
        first: String,
    },
    /// A log can't be opened.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// Copying failed.
    #[error("copying failed: {0}")]
    Copy(#[from] rusqlite::Error),
    /// Somebody else holds the file.
    #[error("the log is held by another program, the copy got no further")]
    Busy,
    /// A file can't be written.
    #[error("{} can't be written: {error}", .path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
}

/// Copies the log of a folder into a file, beside whoever writes. `progress` is told pages copied and
/// pages in all. Call it where blocking is allowed.
pub fn backup(folder: &Path, target: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), BackupError> {
    refuse_existing(target)?;
    let partial = Partial::beside(target)?;
    copy(&folder.join(LOG_FILE), &partial.path, progress)?;
    partial.take_place(target)
}

/// Puts a backup into a folder that has no log. The whole copy is verified before it takes its place;
/// `progress` is told events verified and events in all. Call it where blocking is allowed.
pub fn restore(file: &Path, folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), BackupError> {
    let target = folder.join(LOG_FILE);
    refuse_existing(&target)?;
    // `SQLite` would play what an old log left behind into the restored one.
    let wal = open::beside(&target, "-wal");
    remove_empty(&wal)?;
    refuse_existing(&wal)?;
    let partial = Partial::beside(&target)?;
    copy(file, &partial.path, &mut |_, _| ())?;
    let report = verify_file(&partial.path, progress)?;
    if let Some(first) = report.problems.first() {
        let first = format!("position {}: {}", first.position, first.what);
        return Err(BackupError::Damaged { path: file.to_owned(), problems: report.problems_found, first });
    }
    partial.take_place(&target)
}

fn refuse_existing(path: &Path) -> Result<(), BackupError> {
    match fs::symlink_metadata(path) {
        Ok(_) => Err(BackupError::Exists { path: path.to_owned() }),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(()),
        Err(error) => Err(BackupError::Io { path: path.to_owned(), error }),
    }
}

/// A reader leaves an empty write-ahead log behind, which holds nothing to lose.
fn remove_empty(path: &Path) -> Result<(), BackupError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => {
            fs::remove_file(path).map_err(|error| BackupError::Io { path: path.to_owned(), error })
        }
        _ => Ok(()),
    }
}

/// Copies a log as it is at one moment, its write-ahead log included.
fn copy(source: &Path, target: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), BackupError> {
    wal_scan::check(source)?;
    let source = open::open_for_reading(source)?;
    // One read transaction: the copy is of one moment, and the writer goes on.
    source.execute_batch("BEGIN; SELECT 1 FROM events LIMIT 1;")?;
    let mut copy = Connection::open(target)?;
    let run = Backup::new(&source, &mut copy)?;
    let mut busy_steps = 0;
    loop {
        let step = run.step(STEP_PAGES)?;
        let pages = run.progress();
        let copied = pages.pagecount - pages.remaining;
        progress(u64::try_from(copied).unwrap_or(0), u64::try_from(pages.pagecount).unwrap_or(0));
        match step {
            StepResult::Done => break,
            StepResult::More => busy_steps = 0,
            _ if busy_steps == BUSY_STEPS_MAX => return Err(BackupError::Busy),
            _ => {
                busy_steps += 1;
                std::thread::sleep(BUSY_WAIT);
            }
        }
    }
    drop(run);
    // A backup is one file.
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// A file that is not finished; dropped before it took its place, it is gone.
struct Partial {
    path: PathBuf,
}

impl Partial {
    fn beside(target: &Path) -> Result<Self, BackupError> {
        let partial = Self { path: open::beside(target, ".partial") };
        partial.remove();
        refuse_existing(&partial.path)?;
        Ok(partial)
    }

    /// Moves the finished file to its place, durably.
    fn take_place(self, target: &Path) -> Result<(), BackupError> {
        let io = |error| BackupError::Io { path: target.to_owned(), error };
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(io)?;
        fs::rename(&self.path, target).map_err(io)?;
        open::sync_folder_of(target).map_err(io)
    }

    /// What can't be removed is found by whoever looks next.
    fn remove(&self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(open::beside(&self.path, suffix));
        }
    }
}

impl Drop for Partial {
    fn drop(&mut self) {
        self.remove();
    }
}
