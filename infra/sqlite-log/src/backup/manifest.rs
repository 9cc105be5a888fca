//! What a backup consists of.

use std::fs;
use std::io::ErrorKind;
use std::path::Path;

use serde::{Deserialize, Serialize};
use souk_private_files::write_new;
use uuid::Uuid;

use crate::open;

use super::{BackupError, io};

/// The manifest's file in a backup.
pub const MANIFEST_FILE: &str = "manifest.json";
/// The form of backups that this program writes: its segments say which output an event answers. Segments of
/// form 1 do not, and are read as well; a backup that is continued may have both.
const FORMAT: u32 = 2;
/// The oldest form that is read.
const OLDEST_FORMAT: u32 = 1;

/// A backup.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Manifest {
    /// The form.
    pub format: u32,
    /// The log it is of.
    pub log_id: Uuid,
    /// Its segments, in order.
    pub segments: Vec<Segment>,
}

/// A run of positions.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Segment {
    /// Its file.
    pub file: String,
    /// The position of its first event.
    pub first: u64,
    /// The position of its last.
    pub last: u64,
    /// The checksum of its last event, as the log has it.
    pub last_checksum: u32,
    /// The size of its file.
    pub bytes: u64,
    /// The file's BLAKE3 hash, in hex.
    pub blake3: String,
}

impl Manifest {
    pub(super) fn new(log_id: Uuid) -> Self {
        Self { format: FORMAT, log_id, segments: Vec::new() }
    }

    /// Adds a segment, which is of today's form.
    pub(super) fn add(&mut self, segment: Segment) {
        self.format = FORMAT;
        self.segments.push(segment);
    }

    /// The position of the last event; 0 when there is none.
    pub fn last(&self) -> u64 {
        self.segments.last().map_or(0, |segment| segment.last)
    }

    /// Reads the manifest of a backup. Its segments must follow each other.
    pub fn read(folder: &Path) -> Result<Self, BackupError> {
        let no_backup =
            |what: &str| BackupError::NotABackup { path: folder.to_owned(), what: what.to_owned() };
        let bytes = match fs::read(folder.join(MANIFEST_FILE)) {
            Ok(bytes) => bytes,
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Err(no_backup(if folder.is_file() { "it is a file" } else { "it has no manifest" }));
            }
            Err(error) => return Err(io(&folder.join(MANIFEST_FILE))(error)),
        };
        let damaged = |what: String| BackupError::Damaged { path: folder.to_owned(), what };
        let manifest: Self = serde_json::from_slice(&bytes)
            .map_err(|error| damaged(format!("{MANIFEST_FILE} can't be read: {error}")))?;
        if !(OLDEST_FORMAT..=FORMAT).contains(&manifest.format) {
            let found = manifest.format;
            let what = format!("its format is {found}, this program knows {OLDEST_FORMAT} to {FORMAT}");
            return Err(no_backup(&what));
        }
        let mut expected = 1;
        for segment in &manifest.segments {
            let Segment { file, first, last, .. } = segment;
            if *first != expected || last < first {
                return Err(damaged(format!("{file} should begin at position {expected}")));
            }
            expected = last + 1;
        }
        Ok(manifest)
    }

    /// Writes it: the old one or the new is there at any moment.
    pub(super) fn write(&self, folder: &Path) -> Result<(), BackupError> {
        let path = folder.join(MANIFEST_FILE);
        let partial = open::beside(&path, ".partial");
        let write = || -> std::io::Result<()> {
            // One that a crash left is made anew, so that its owner alone can read it.
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
