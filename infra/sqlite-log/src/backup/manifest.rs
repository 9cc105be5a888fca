//! The manifest of a backup: the list of its segments.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use souk_private_files::write_new;
use uuid::Uuid;

use crate::open;

use super::{BackupError, io};

/// File name of the manifest.
pub const MANIFEST_FILE: &str = "manifest.json";
/// Version of the backup format that this program writes. Segments of format 2 have the column `reply_to`,
/// segments of format 1 do not. A backup that was continued may have segments of both formats.
const FORMAT: u32 = 2;
/// Oldest format that this program reads.
const OLDEST_FORMAT: u32 = 1;

/// The manifest of a backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// Version of the backup format.
    pub format: u32,
    /// Id of the log.
    pub log_id: Uuid,
    /// Segments of the backup, in the order of their positions.
    pub segments: Vec<Segment>,
}

/// A file with the events of a range of positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Segment {
    /// File name of the segment.
    pub file: String,
    /// Position of the first event.
    pub first: u64,
    /// Position of the last event.
    pub last: u64,
    /// Checksum of the last event, as stored in the log.
    pub last_checksum: u32,
    /// Size of the file, in bytes.
    pub bytes: u64,
    /// BLAKE3 hash of the file, in hexadecimal digits.
    pub blake3: String,
}

impl Manifest {
    pub(super) fn new(log_id: Uuid) -> Self {
        Self { format: FORMAT, log_id, segments: Vec::new() }
    }

    /// Adds a segment of the current format.
    pub(super) fn add(&mut self, segment: Segment) {
        self.format = FORMAT;
        self.segments.push(segment);
    }

    /// Returns the position of the last event, or 0 if the backup is empty.
    pub fn last(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.last)
    }

    /// Reads the manifest of a backup, and checks that its segments have no gap.
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        let not_a_backup =
            |what: &str| BackupError::NotABackup { path: folder.to_owned(), what: what.to_owned() };
        let bytes = match fs::read(folder.join(MANIFEST_FILE)) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(not_a_backup(if folder.is_file() {
                    "it is a file"
                } else {
                    "it has no manifest"
                }));
            }
            Err(error) => return Err(io(&folder.join(MANIFEST_FILE))(error)),
        };
        let damaged = |what: String| BackupError::Damaged { path: folder.to_owned(), what };
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("{MANIFEST_FILE} can't be read: {error}")))?;
        if !(OLDEST_FORMAT..=FORMAT).contains(&manifest.format) {
            let found = manifest.format;
            let what =
                format!("its format is {found}, this program reads formats {OLDEST_FORMAT} to {FORMAT}");
            return Err(not_a_backup(&what));
        }
        let mut expected = 1;
        for segment in &manifest.segments {
            let Segment { file, first, last, .. } = segment;
            if *first != expected || last < first {
                let what = format!(
                    "{file} has the positions {first} to {last}, but should begin at position {expected}"
                );
                return Err(damaged(what));
            }
            expected = last + 1;
        }
        Ok(manifest)
    }

    /// Replaces the manifest file atomically.
    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let path = folder.join(MANIFEST_FILE);
        let partial = open::with_suffix(&path, ".partial");
        let write = || -> std::io::Result<()> {
            // A file that a crash left behind is removed first, so that the new one gets the right
            // permissions.
            match fs::remove_file(&partial) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(error),
                _ => {}
            }
            write_new(&partial, serde_json::to_string_pretty(self)?.as_bytes())?;
            fs::rename(&partial, &path)?;
            open::sync_folder_of(&path)
        };
        write().map_err(io(&path))
    }
}
