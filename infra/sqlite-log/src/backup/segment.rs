//! A segment of a backup: a file with copies of consecutive rows of the log.

use std::fs::{self, File};
use std::path::Path;

use rusqlite::Connection;
use souk_private_files::make_file;

use crate::row::{self, RowError, to_i64};
use crate::{LOG_FILE, open};

use super::{BackupError, Segment, io};

/// Maximum number of rows that one statement copies.
const COPY_ROWS_MAX: u64 = 5_000;

/// Copies the rows from position `first` to `last` into the segment with this number. `copied` is called
/// repeatedly with the position up to which the rows are copied.
pub(super) fn write(
    source: &Path,
    folder: &Path,
    number: usize,
    first: u64,
    last: u64,
    mut copied: impl FnMut(u64),
) -> Result<Segment, BackupError> {
    let file = format!("{number:06}.segment");
    let path = folder.join(&file);
    // A run that was killed before it updated the manifest may have left these files.
    for suffix in ["", "-journal"] {
        let leftover = open::with_suffix(&path, suffix);
        if leftover.exists() {
            fs::remove_file(&leftover).map_err(io(&leftover))?;
        }
    }
    make_file(&path).map_err(io(&path))?;
    let segment = Connection::open(&path)?;
    segment.pragma_update(None, "journal_mode", "OFF")?;
    segment.pragma_update(None, "synchronous", "OFF")?;
    segment.execute_batch(include_str!("../events.sql"))?;
    let log = format!("file:{}?mode=ro", escaped(source));
    segment.execute("ATTACH ?1 AS log", [log])?;
    let copy = row::copy_rows(&segment, "log")?;
    let mut last_checksum = 0;
    let mut after = first - 1;
    while after < last {
        let to = last.min(after + COPY_ROWS_MAX);
        segment.execute(&copy, (to_i64(after), to_i64(to)))?;
        last_checksum = check_rows(&segment, after, to)?;
        after = to;
        copied(after);
    }
    segment.execute_batch("DETACH log")?;
    segment.close().map_err(|(_, error)| error)?;
    File::open(&path).and_then(|file| file.sync_all()).map_err(io(&path))?;
    open::sync_folder_of(&path).map_err(io(&path))?;
    let (bytes, blake3) = hash(&path)?;
    Ok(Segment { file, first, last, last_checksum, bytes, blake3 })
}

/// Escapes a path for a URI.
fn escaped(path: &Path) -> String {
    let text = path.to_string_lossy();
    text.replace('%', "%25").replace('?', "%3f").replace('#', "%23")
}

/// Verifies the checksums of the copied rows, and that no position is missing. Returns the checksum of the
/// last row. A damaged log must not be backed up.
fn check_rows(segment: &Connection, after: u64, to: u64) -> Result<u32, BackupError> {
    let mut statement = segment.prepare_cached(row::SELECT_ALL)?;
    let mut rows = statement.query((to_i64(after), to_i64(to), to_i64(COPY_ROWS_MAX)))?;
    let mut expected = after + 1;
    let mut checksum = 0;
    while let Some(stored) = rows.next()? {
        let position: u64 = stored.get(0)?;
        if position != expected {
            break;
        }
        let damaged = |what: String| BackupError::DamagedLog(format!("position {position}: {what}"));
        row::read_checked(stored).map_err(|RowError(what)| damaged(what))?;
        checksum = stored.get(14)?;
        expected += 1;
    }
    if expected != to + 1 {
        return Err(BackupError::DamagedLog(format!(
            "position {expected}: the event is missing in {LOG_FILE}"
        )));
    }
    Ok(checksum)
}

/// Returns the size of a file in bytes, and its BLAKE3 hash.
pub(super) fn hash(path: &Path) -> Result<(u64, String), BackupError> {
    let mut hasher = blake3::Hasher::new();
    let mut file = File::open(path).map_err(io(path))?;
    let bytes = std::io::copy(&mut file, &mut hasher).map_err(io(path))?;
    Ok((bytes, hasher.finalize().to_hex().to_string()))
}
