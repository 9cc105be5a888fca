//! Simulated disk that loses, tears and refuses the writes of `SQLite`, for tests of the adapters.
//!
//! A [`Disk`] simulates the disk below one folder. It records all writes and syncs of the databases in the
//! folder, and fails operations as its [`Faults`] say. It can write the files that would exist after a power
//! cut to another folder. After a power cut, each write that was not synced exists, is lost, or exists in
//! part, independently of the other writes, because a real disk guarantees no more. Changes that bypass
//! `SQLite` (renames, a file filled with zeros) count as synced at once.

mod file;
mod vfs;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use file::{File, Image};

/// Faults of a disk, each with the number of the operation at which it happens. Writes, truncations, syncs
/// and deletions count as operations.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// Operation at which the power is cut. This operation may be done in part, and all later ones fail.
    pub power_cut: Option<u64>,
    /// First operation from which on the disk is full.
    pub full: Option<u64>,
    /// Operation from which on the next write fails. Later writes succeed again.
    pub failed_write: Option<u64>,
    /// Operation from which on the next sync fails and loses some of its changes. Later syncs succeed again.
    pub failed_sync: Option<u64>,
}

/// Error of an operation.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum DiskError {
    /// The disk is full.
    Full,
    /// The power is cut, or another fault happened.
    Broken,
}

/// Simulated disk below a folder.
pub struct Disk {
    folder: PathBuf,
    state: Mutex<State>,
}

struct State {
    files: HashMap<PathBuf, File>,
    /// Contents of files that were deleted after the last sync of the folder.
    deleted: HashMap<PathBuf, Image>,
    faults: Faults,
    operations: u64,
    has_power: bool,
    rng: Rng,
}

impl Disk {
    /// Puts a simulated disk below a folder, for this process.
    pub fn mount(folder: &Path, seed: u64, faults: Faults) -> Arc<Self> {
        let state = State {
            files: HashMap::new(),
            deleted: HashMap::new(),
            faults,
            operations: 0,
            has_power: true,
            rng: Rng::with_seed(seed),
        };
        let disk = Arc::new(Self { folder: folder.to_owned(), state: Mutex::new(state) });
        vfs::mount(folder, &disk);
        disk
    }

    /// Number of operations so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Cuts the power: all later operations fail.
    pub fn cut_power(&self) {
        self.state().has_power = false;
    }

    /// Writes the files that exist after a power cut to the folder `to`.
    pub fn write_survivors(&self, to: &Path) -> std::io::Result<()> {
        let state = &mut *self.state();
        let mut survivors: Vec<(&PathBuf, Image)> = Vec::new();
        // Sorted by name, because the random choices must not depend on the order of entries in a map.
        let mut files: Vec<_> = state.files.iter().collect();
        files.sort_by_key(|(path, _)| *path);
        let survivor = |(path, file): (_, &File)| Some((path, file.survivor(&mut state.rng)?));
        survivors.extend(files.into_iter().filter_map(survivor));
        let mut deleted: Vec<_> = state.deleted.iter().collect();
        deleted.sort_by_key(|(path, _)| *path);
        survivors.extend(
            deleted.into_iter().filter(|_| state.rng.bool()).map(|(path, image)| (path, image.clone())),
        );
        for (path, image) in survivors {
            let name = path.file_name().unwrap_or_default();
            let (bytes, length) = image.content();
            let mut file = fs::File::create(to.join(name))?;
            file.write_all(bytes)?;
            file.set_len(length as u64)?;
        }
        Ok(())
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(crate) fn open(&self, path: &Path) -> Result<(), DiskError> {
        let state = &mut *self.state();
        if !state.has_power {
            return Err(DiskError::Broken);
        }
        if !state.files.contains_key(path) {
            let file = match fs::read(path) {
                Ok(content) => File::existing(content),
                Err(_) => File::created(state.deleted.remove(path)),
            };
            state.files.insert(path.to_owned(), file);
        }
        Ok(())
    }

    pub(crate) fn write(&self, path: &Path, offset: usize, data: &[u8]) -> Result<(), DiskError> {
        let state = &mut *self.state();
        let outcome = state.begin()?;
        if state.faults.full.is_some_and(|from| state.operations >= from) {
            return Err(DiskError::Full);
        }
        if state.is_due(|faults| &mut faults.failed_write) {
            return Err(DiskError::Broken);
        }
        state.file(path).write(offset, data);
        outcome
    }

    pub(crate) fn resize(&self, path: &Path, length: usize) -> Result<(), DiskError> {
        let state = &mut *self.state();
        let outcome = state.begin()?;
        state.file(path).resize(length);
        outcome
    }

    pub(crate) fn sync(&self, path: &Path) -> Result<(), DiskError> {
        let state = &mut *self.state();
        state.begin()??;
        let fails = state.is_due(|faults| &mut faults.failed_sync);
        let mut rng = state.rng.clone();
        let file = state.file(path);
        if fails {
            file.fail_to_sync(&mut rng);
            state.rng = rng;
            return Err(DiskError::Broken);
        }
        file.sync();
        // The VFS of SQLite also syncs the folder at the first sync of a journal.
        let is_journal = ["-wal", "-journal"].iter().any(|suffix| path.to_string_lossy().ends_with(suffix));
        if is_journal && file.is_new() {
            state.files.values_mut().for_each(File::sync_entry);
            state.deleted.clear();
        }
        Ok(())
    }

    pub(crate) fn delete(&self, path: &Path, syncs_folder: bool) -> Result<(), DiskError> {
        let state = &mut *self.state();
        let outcome = state.begin()?;
        if let Some(file) = state.files.remove(path)
            && !syncs_folder
        {
            let survivor = file.survivor(&mut state.rng);
            state.deleted.extend(survivor.map(|image| (path.to_owned(), image)));
        }
        outcome
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        vfs::unmount(&self.folder);
    }
}

impl State {
    /// Counts an operation. The outer error means that the power is already cut and the operation must not
    /// happen. The inner error means that the power is cut during the operation: the caller records it, then
    /// returns the error.
    fn begin(&mut self) -> Result<Result<(), DiskError>, DiskError> {
        if !self.has_power {
            return Err(DiskError::Broken);
        }
        self.operations += 1;
        self.has_power = self.faults.power_cut.is_none_or(|at| self.operations < at);
        Ok(if self.has_power { Ok(()) } else { Err(DiskError::Broken) })
    }

    /// Returns true if a one-time fault happens now, and clears the fault.
    fn is_due(&mut self, fault: impl Fn(&mut Faults) -> &mut Option<u64>) -> bool {
        let operations = self.operations;
        fault(&mut self.faults).take_if(|from| *from <= operations).is_some()
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let file = self.files.entry(path.to_owned()).or_default();
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        file.extend(usize::try_from(length).unwrap_or(usize::MAX));
        file
    }
}
