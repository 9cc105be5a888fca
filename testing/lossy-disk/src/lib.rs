//! A disk that loses, tears and refuses what `SQLite` writes to it, for tests of the adapters.
//!
//! A [`Disk`] stands for a folder. It notes every write and every sync of the databases in it, fails when
//! its [`Faults`] say so, and tells what would lie on the platter if the power went now. Writes that no
//! sync covered may be there, be gone, or be there in part, each by itself, which is all that a disk
//! promises. What goes past `SQLite` (renames, a file filled with zeros) is taken as done and synced.

mod file;
mod vfs;

use std::collections::HashMap;
use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use fastrand::Rng;

use file::{File, Image};

/// What fails, and at which of the disk's operations: writes, truncations, syncs and deletions count.
#[derive(Clone, Copy, Debug, Default)]
pub struct Faults {
    /// The power goes: this one may be done in part, and nothing after it.
    pub power_cut: Option<u64>,
    /// From here on there is no room for a write.
    pub full: Option<u64>,
    /// The first write from here on fails.
    pub failed_write: Option<u64>,
    /// The first sync from here on fails, and loses some of what it was to keep.
    pub failed_sync: Option<u64>,
}

/// Why an operation is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refusal {
    /// No room.
    Full,
    /// Anything else.
    Broken,
}

/// A folder's disk.
pub struct Disk {
    folder: PathBuf,
    state: Mutex<State>,
}

struct State {
    files: HashMap<PathBuf, File>,
    /// Deleted, while the folder is not synced.
    deleted: HashMap<PathBuf, Image>,
    faults: Faults,
    operations: u64,
    has_power: bool,
    rng: Rng,
}

impl Disk {
    /// Puts a disk under a folder, in this process.
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

    /// Operations so far.
    pub fn operations(&self) -> u64 {
        self.state().operations
    }

    /// Nothing is written any more.
    pub fn cut_power(&self) {
        self.state().has_power = false;
    }

    /// Writes what is on the platter into another folder: what a computer finds that is switched on again.
    pub fn write_survivors(&self, to: &Path) -> std::io::Result<()> {
        let state = &mut *self.state();
        let mut survivors: Vec<(&PathBuf, Image)> = Vec::new();
        // By name: the seed's choices must not depend on where a map keeps its entries.
        let mut files: Vec<_> = state.files.iter().collect();
        files.sort_by_key(|(path, _)| *path);
        let left = |(path, file): (_, &File)| Some((path, file.survivor(&mut state.rng)?));
        survivors.extend(files.into_iter().filter_map(left));
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

    pub(crate) fn opens(&self, path: &Path) -> Result<(), Refusal> {
        let state = &mut *self.state();
        if !state.has_power {
            return Err(Refusal::Broken);
        }
        if !state.files.contains_key(path) {
            let file = match fs::read(path) {
                Ok(content) => File::found(content),
                Err(_) => File::created(state.deleted.remove(path)),
            };
            state.files.insert(path.to_owned(), file);
        }
        Ok(())
    }

    pub(crate) fn writes(&self, path: &Path, offset: usize, data: &[u8]) -> Result<(), Refusal> {
        let state = &mut *self.state();
        let goes_on = state.begin()?;
        if state.faults.full.is_some_and(|from| state.operations >= from) {
            return Err(Refusal::Full);
        }
        if state.is_due(|faults| &mut faults.failed_write) {
            return Err(Refusal::Broken);
        }
        state.file(path).write(offset, data);
        goes_on
    }

    pub(crate) fn resizes(&self, path: &Path, length: usize) -> Result<(), Refusal> {
        let state = &mut *self.state();
        let goes_on = state.begin()?;
        state.file(path).resize(length);
        goes_on
    }

    pub(crate) fn syncs(&self, path: &Path) -> Result<(), Refusal> {
        let state = &mut *self.state();
        state.begin()??;
        let fails = state.is_due(|faults| &mut faults.failed_sync);
        let mut rng = state.rng.clone();
        let file = state.file(path);
        if fails {
            file.fail_to_sync(&mut rng);
            state.rng = rng;
            return Err(Refusal::Broken);
        }
        file.sync();
        // As the VFS does for journals: with its first sync the folder is synced.
        let is_journal = ["-wal", "-journal"].iter().any(|suffix| path.to_string_lossy().ends_with(suffix));
        if is_journal && file.is_new() {
            state.files.values_mut().for_each(File::sync_entry);
            state.deleted.clear();
        }
        Ok(())
    }

    pub(crate) fn deletes(&self, path: &Path, syncs_folder: bool) -> Result<(), Refusal> {
        let state = &mut *self.state();
        let goes_on = state.begin()?;
        if let Some(file) = state.files.remove(path)
            && !syncs_folder
        {
            let left = file.survivor(&mut state.rng);
            state.deleted.extend(left.map(|left| (path.to_owned(), left)));
        }
        goes_on
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        vfs::unmount(&self.folder);
    }
}

impl State {
    /// Counts an operation: refused without power. What it answers inside is refused after it was noted,
    /// when the power goes while it is done.
    fn begin(&mut self) -> Result<Result<(), Refusal>, Refusal> {
        if !self.has_power {
            return Err(Refusal::Broken);
        }
        self.operations += 1;
        self.has_power = self.faults.power_cut.is_none_or(|at| self.operations < at);
        Ok(if self.has_power { Ok(()) } else { Err(Refusal::Broken) })
    }

    /// Whether a fault that comes once comes now.
    fn is_due(&mut self, fault: impl Fn(&mut Faults) -> &mut Option<u64>) -> bool {
        let operations = self.operations;
        fault(&mut self.faults).take_if(|from| *from <= operations).is_some()
    }

    fn file(&mut self, path: &Path) -> &mut File {
        let file = self.files.entry(path.to_owned()).or_default();
        let length = fs::metadata(path).map_or(0, |metadata| metadata.len());
        file.was_extended(usize::try_from(length).unwrap_or(usize::MAX));
        file
    }
}
