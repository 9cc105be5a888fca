//! Restore of a backup: checks the backup, writes the log under another name, verifies it, and renames it.

use std::fs::{self, File};
use std::path::{Path, PathBuf};

use rusqlite::Connection;
use souk_private_files::make_file;

use crate::row::{self, to_i64};
use crate::verify::verify_file;
use crate::{LOG_FILE, open};

use super::{BackupError, Manifest, Segment, io, refuse_existing, segment};

/// Checks that every segment of a backup exists and has not changed. `progress` is called with the number of
/// checked bytes and the total.
pub fn check(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<Manifest, BackupError> {
    let manifest = Manifest::read(folder)?;
    let total = manifest.segments.iter().map(|segment| segment.bytes).sum();
    let mut checked = 0;
    for Segment { file, bytes, blake3, .. } in &manifest.segments {
        let damaged = |what: String| BackupError::Damaged { path: folder.to_owned(), what };
        let path = folder.join(file);
        if !path.is_file() {
            return Err(damaged(format!("{file} is missing")));
        }
        if segment::hash(&path)? != (*bytes, blake3.clone()) {
            return Err(damaged(format!("{file} has changed since it was written")));
        }
        checked += bytes;
        progress(checked, total);
    }
    Ok(manifest)
}

/// Restores a backup into a folder that has no log. `progress` is called with the number of restored events
/// and the total. Blocks the calling thread.
pub fn restore(
    backup: &Path,
    folder: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Manifest, BackupError> {
    let target = folder.join(LOG_FILE);
    refuse_existing(&target)?;
    // `SQLite` would apply the WAL of an old log to the restored one.
    let wal = open::with_suffix(&target, "-wal");
    remove_empty(&wal)?;
    refuse_existing(&wal)?;
    let manifest = check(backup, &mut |_, _| ())?;
    let partial = PartialFile::for_target(&target)?;
    fill(&partial.path, backup, &manifest, progress)?;
    let report = verify_file(&partial.path, &mut |_, _| ())?;
    if let Some(first) = report.problems.first() {
        let what = format!("position {}: {}", first.position, first.what);
        return Err(BackupError::Damaged { path: backup.to_owned(), what });
    }
    partial.rename_to(&target)?;
    Ok(manifest)
}

fn fill(
    path: &Path,
    backup: &Path,
    manifest: &Manifest,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<(), BackupError> {
    make_file(path).map_err(io(path))?;
    open::write_schema(path, manifest.log_id)?;
    let connection = Connection::open(path)?;
    connection.pragma_update(None, "journal_mode", "OFF")?;
    connection.pragma_update(None, "synchronous", "OFF")?;
    let restored_id = File::open(path).map(|file| open::derive_log_id(path, &file)).map_err(io(path))?;
    connection.execute("INSERT INTO meta VALUES ('restored', ?1)", [restored_id.to_string()])?;
    for segment in &manifest.segments {
        let file = backup.join(&segment.file);
        connection.execute("ATTACH ?1 AS segment", [file.to_string_lossy()])?;
        let copy = row::copy_rows(&connection, "segment")?;
        connection.execute(&copy, (to_i64(segment.first - 1), to_i64(segment.last)))?;
        connection.execute_batch("DETACH segment")?;
        progress(segment.last, manifest.last());
    }
    connection.close().map_err(|(_, error)| error)?;
    Ok(())
}

/// Removes an empty write-ahead log, which a reader may leave behind. It holds no data.
fn remove_empty(path: &Path) -> Result<(), BackupError> {
    match fs::metadata(path) {
        Ok(metadata) if metadata.len() == 0 => fs::remove_file(path).map_err(io(path)),
        _ => Ok(()),
    }
}

/// An incomplete log file. A drop deletes it, unless [`PartialFile::rename_to`] has renamed it before.
struct PartialFile {
    path: PathBuf,
}

impl PartialFile {
    fn for_target(target: &Path) -> Result<Self, BackupError> {
        let partial = Self { path: open::with_suffix(target, ".partial") };
        partial.remove();
        refuse_existing(&partial.path)?;
        Ok(partial)
    }

    /// Syncs the complete file and renames it to `target`.
    fn rename_to(self, target: &Path) -> Result<(), BackupError> {
        File::open(&self.path).and_then(|file| file.sync_all()).map_err(io(target))?;
        fs::rename(&self.path, target).map_err(io(target))?;
        open::sync_folder_of(target).map_err(io(target))
    }

    /// Deletes the file and the files that `SQLite` adds to it. If a deletion fails, the next restore tries
    /// again.
    fn remove(&self) {
        for suffix in ["", "-journal", "-wal", "-shm"] {
            let _ = fs::remove_file(open::with_suffix(&self.path, suffix));
        }
    }
}

impl Drop for PartialFile {
    fn drop(&mut self) {
        self.remove();
    }
}
