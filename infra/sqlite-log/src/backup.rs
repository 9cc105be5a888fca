//! A consistent copy of the log while it is written to, and the way back.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use rusqlite::backup::{Backup, StepResult};

use crate::verify::verify_file;
use crate::{LOG_FILE, OpenError, open};

/// Pages copied in one step.
const STEP_PAGES: i32 = 1_000;

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
/// pages in all.
pub fn backup(folder: &Path, target: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), BackupError> {
    if target.exists() {
        return Err(BackupError::Exists { path: target.to_owned() });
    }
    let source = open::open_for_reading(&folder.join(LOG_FILE))?;
    // One read transaction: the copy is of one moment, and the writer goes on.
    source.execute_batch("BEGIN; SELECT 1 FROM events LIMIT 1;")?;
    let partial = target.with_extension("partial");
    let io = |error| BackupError::Io { path: partial.clone(), error };
    if partial.exists() {
        fs::remove_file(&partial).map_err(io)?;
    }
    copy(&source, &partial, progress)?;
    take_place(&partial, target)
}

fn copy(source: &Connection, target: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), BackupError> {
    let mut copy = Connection::open(target)?;
    let run = Backup::new(source, &mut copy)?;
    loop {
        let step = run.step(STEP_PAGES)?;
        let pages = run.progress();
        let (all, left) = (u64::try_from(pages.pagecount).unwrap_or(0), u64::try_from(pages.remaining).unwrap_or(0));
        progress(all - left, all);
        match step {
            StepResult::Done => break,
            StepResult::More => {}
            _ => std::thread::sleep(std::time::Duration::from_millis(5)),
        }
    }
    drop(run);
    copy.pragma_update(None, "journal_mode", "DELETE")?;
    Ok(())
}

/// Moves a finished file to its place, durably.
fn take_place(partial: &Path, target: &Path) -> Result<(), BackupError> {
    let io = |error| BackupError::Io { path: target.to_owned(), error };
    File::open(partial).and_then(|file| file.sync_all()).map_err(io)?;
    fs::rename(partial, target).map_err(io)?;
    let folder = target.parent().filter(|folder| !folder.as_os_str().is_empty());
    File::open(folder.unwrap_or(Path::new("."))).and_then(|folder| folder.sync_all()).map_err(io)
}

/// Puts a backup into a folder that has no log. The whole backup is verified first.
pub fn restore(file: &Path, folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<(), BackupError> {
    let target = folder.join(LOG_FILE);
    if target.exists() {
        return Err(BackupError::Exists { path: target });
    }
    let report = verify_file(file, progress)?;
    if let Some(first) = report.problems.first() {
        let first = format!("position {}: {}", first.position, first.what);
        return Err(BackupError::Damaged { path: file.to_owned(), problems: report.problems_found, first });
    }
    let partial = target.with_extension("partial");
    fs::copy(file, &partial).map_err(|error| BackupError::Io { path: partial.clone(), error })?;
    take_place(&partial, &target)
}
