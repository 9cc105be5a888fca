//! Data folder of a shop with embedded engines. Only one process at a time may lock it.
//!
//! The operating system keeps the lock, so the lock ends when the process is killed. The lock file contains
//! the process id and the address of the process, so that the command line finds a running server.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_http::Keys;
use souk_http::keys::KeysError;
use souk_private_files::{ModeChange, forbid_access, forbid_writing, make_folder, open_file};
use souk_sqlite_log::{LOG_FILE, MANIFEST_FILE};
use souk_sqlite_person_keys::SqlitePersonKeys;
use souk_sqlite_read_models::READ_MODELS_FILE;

/// Name of the lock file.
pub const LOCK_FILE: &str = "souk.lock";

/// Name of the lock file for rebuilds of read models.
const REBUILD_LOCK_FILE: &str = "rebuild.lock";
/// Maximum number of attempts to lock a file.
const LOCK_TRIES: u32 = 4;
/// Pause between two attempts to lock a file.
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// Reads the keys of a data folder. Creates them if they are missing, but not if the folder has keys of
/// people, because these belong to the missing keys.
pub fn keys_of(data: &Path) -> Result<Keys, KeysError> {
    if SqlitePersonKeys::exists_in(data) { Keys::read(data) } else { Keys::open(data) }
}

/// Content of the lock file.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// Id of the process that has locked the folder.
    pub pid: u32,
    /// Address of the process. `None` before it listens.
    #[serde(default)]
    pub address: Option<String>,
}

/// Reason why a data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process has locked the folder.
    #[error("the data folder {} is in use by process {pid}{}: stop it, or name another folder with --data",
        .folder.display(), .address.as_ref().map(|address| format!(", which listens on {address}")).unwrap_or_default())]
    InUse {
        /// Path of the folder.
        folder: PathBuf,
        /// Id of the process that has locked the folder.
        pid: u32,
        /// Address of that process.
        address: Option<String>,
    },
    /// The folder contains no shop.
    #[error("there is no shop in {}: name its data folder with --data", .folder.display())]
    NoShop {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// The folder contains read models, but their log is missing.
    #[error("log-truncated: the log in {} is missing: put log.sqlite back, or restore a backup (`souk log restore FOLDER`)", .folder.display())]
    LogGone {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// Another process builds read models in the folder.
    #[error("read models are being built in {}, by `souk replay` or by a shop that is starting: wait until that ends, or stop it", .folder.display())]
    Rebuilding {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// The folder is a backup.
    #[error("{} is a backup of a log, not a data folder: restore it into another folder (`souk log restore {} --data DIR`)", .folder.display(), .folder.display())]
    IsBackup {
        /// Path of the folder.
        folder: PathBuf,
    },
    /// The folder can't be read or written.
    #[error("the data folder {} can't be used: {error}", .folder.display())]
    Io {
        /// Path of the folder.
        folder: PathBuf,
        /// Error of the operating system.
        error: io::Error,
    },
}

/// Data folder that this process has locked. Dropping the value unlocks the folder.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: File,
}

impl DataFolder {
    /// Creates the folder if it is missing, and locks it.
    pub fn lock(path: &Path) -> Result<Self, DataFolderError> {
        let failed = |error| DataFolderError::Io { folder: path.to_owned(), error };
        if path.join(MANIFEST_FILE).exists() {
            return Err(DataFolderError::IsBackup { folder: path.to_owned() });
        }
        make_folder(path).map_err(failed)?;
        let file_path = path.join(LOCK_FILE);
        restrict_rights(path).map_err(failed)?;
        let lock = open_file(&file_path).map_err(failed)?;
        match lock_with_retries(&lock) {
            Ok(()) => {}
            Err(TryLockError::WouldBlock) => {
                let Holder { pid, address } = read_holder(&lock).unwrap_or_default();
                return Err(DataFolderError::InUse { folder: path.to_owned(), pid, address });
            }
            Err(TryLockError::Error(error)) => return Err(failed(error)),
        }
        let mut folder = Self { path: path.to_owned(), lock };
        folder.write_holder(None).map_err(failed)?;
        Ok(folder)
    }

    /// Returns the path of the folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Writes the address of this process into the lock file, so that other processes find it.
    pub fn announce(&mut self, address: &str) -> Result<(), DataFolderError> {
        self.write_holder(Some(address.to_owned()))
            .map_err(|error| DataFolderError::Io { folder: self.path.clone(), error })
    }

    fn write_holder(&mut self, address: Option<String>) -> io::Result<()> {
        let holder = Holder { pid: std::process::id(), address };
        self.lock.set_len(0)?;
        self.lock.rewind()?;
        self.lock.write_all(&serde_json::to_vec(&holder)?)
    }
}

/// Prefixes of the names of files and folders that contain secrets without encryption: keys of people, hashes
/// of passwords, mailed tokens.
const PRIVATE_NAMES: [&str; 3] = ["person-keys.sqlite", "credentials.sqlite", "mail"];

/// Returns true if other users must not read the file or folder.
fn is_private(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| PRIVATE_NAMES.iter().any(|private| name.starts_with(private)))
}

/// Removes the rights of other users to write the folder and its files, and to read private files. The folder
/// `keys` is checked when its keys are read.
fn restrict_rights(folder: &Path) -> io::Result<()> {
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    for path in std::iter::once(Ok(folder.to_owned())).chain(entries) {
        let path = path?;
        let is_private = path != folder && is_private(&path);
        match if is_private { forbid_access(&path) } else { forbid_writing(&path) } {
            Ok(None) => {}
            Ok(Some(ModeChange { before, now })) if is_private => {
                let path = path.display();
                tracing::warn!(%path, before, now, "other users could read this private file of the shop; their rights are removed");
            }
            Ok(Some(ModeChange { before, now })) => {
                let path = path.display();
                tracing::warn!(%path, before, now, "other users could write this file of the shop; their rights are removed");
            }
            // Another process has removed the file meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "the rights of other users could not be checked");
            }
        }
    }
    Ok(())
}

/// Fails if the folder contains no shop, or if its log is missing.
pub fn require_shop(path: &Path) -> Result<(), DataFolderError> {
    require_no_loss(path)?;
    if path.join(MANIFEST_FILE).exists() {
        return Err(DataFolderError::IsBackup { folder: path.to_owned() });
    }
    let has_shop = path.join(LOG_FILE).exists();
    if has_shop { Ok(()) } else { Err(DataFolderError::NoShop { folder: path.to_owned() }) }
}

/// Fails if the folder contains read models but no log.
pub fn require_no_loss(path: &Path) -> Result<(), DataFolderError> {
    let exists = |name| path.join(name).exists();
    let is_lost = exists(READ_MODELS_FILE) && !exists(LOG_FILE);
    if is_lost { Err(DataFolderError::LogGone { folder: path.to_owned() }) } else { Ok(()) }
}

/// Locks the rebuilds of read models, and returns the lock. Without it, two processes could write to the same
/// build.
pub fn lock_rebuilds(folder: &Path, models: &[&str]) -> Result<File, DataFolderError> {
    let failed = |error| DataFolderError::Io { folder: folder.to_owned(), error };
    let mut lock = open_file(&folder.join(REBUILD_LOCK_FILE)).map_err(failed)?;
    match lock_with_retries(&lock) {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => {
            return Err(DataFolderError::Rebuilding { folder: folder.to_owned() });
        }
        Err(TryLockError::Error(error)) => return Err(failed(error)),
    }
    let names = models.join("\n");
    let written =
        lock.set_len(0).and_then(|()| lock.rewind()).and_then(|()| lock.write_all(names.as_bytes()));
    written.map_err(failed)?;
    Ok(lock)
}

/// Returns the names of the read models that a process is building now.
pub fn rebuilding(folder: &Path) -> Vec<String> {
    let Ok(mut lock) = File::open(folder.join(REBUILD_LOCK_FILE)) else { return Vec::new() };
    let mut names = String::new();
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) if lock.read_to_string(&mut names).is_ok() => {
            names.lines().map(str::to_owned).collect()
        }
        _ => Vec::new(),
    }
}

/// Locks a file, with some attempts. [`holder`] locks the file for a moment only, so one failed attempt does
/// not mean that a process keeps it.
fn lock_with_retries(lock: &File) -> Result<(), TryLockError> {
    for _ in 1..LOCK_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            locked => return locked,
        }
    }
    lock.try_lock()
}

/// Returns the process that has locked the folder, or `None` if it is not locked.
pub fn holder(path: &Path) -> Option<Holder> {
    let lock = File::open(path.join(LOCK_FILE)).ok()?;
    match lock.try_lock_shared() {
        Err(TryLockError::WouldBlock) => Some(read_holder(&lock).unwrap_or_default()),
        Ok(()) | Err(TryLockError::Error(_)) => None,
    }
}

fn read_holder(mut lock: &File) -> Option<Holder> {
    let mut text = String::new();
    lock.rewind().ok()?;
    lock.read_to_string(&mut text).ok()?;
    serde_json::from_str(&text).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    // Proves: operations.one-shop-per-folder
    #[test]
    fn only_one_process_at_a_time_can_lock_a_folder() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        let mut folder = DataFolder::lock(&path).unwrap();
        folder.announce("http://127.0.0.1:8080").unwrap();
        let error = DataFolder::lock(&path).unwrap_err().to_string();
        assert!(error.contains("in use") && error.contains("http://127.0.0.1:8080"), "{error}");
        assert_eq!(holder(&path).unwrap().address.as_deref(), Some("http://127.0.0.1:8080"));
        drop(folder);
        assert_eq!(holder(&path), None);
        DataFolder::lock(&path).unwrap();
    }

    #[test]
    fn models_count_as_rebuilding_only_while_their_lock_is_held() {
        let folder = tempfile::tempdir().unwrap();
        assert_eq!(rebuilding(folder.path()), [""; 0]);
        let lock = lock_rebuilds(folder.path(), &["orders", "stock"]).unwrap();
        assert_eq!(rebuilding(folder.path()), ["orders", "stock"]);
        assert!(lock_rebuilds(folder.path(), &["orders"]).is_err());
        drop(lock);
        assert_eq!(rebuilding(folder.path()), [""; 0]);
        let _lock = lock_rebuilds(folder.path(), &["carts"]).unwrap();
        assert_eq!(rebuilding(folder.path()), ["carts"]);
    }

    #[cfg(unix)]
    #[test]
    fn other_users_lose_the_right_to_write_files_of_a_folder() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        drop(DataFolder::lock(&path).unwrap());
        assert_eq!(mode(&path.join(LOCK_FILE)), 0o600);
        let log = path.join(LOG_FILE);
        std::fs::write(&log, "x").unwrap();
        for open in [&path, &log, &path.join(LOCK_FILE)] {
            std::fs::set_permissions(open, std::fs::Permissions::from_mode(0o777)).unwrap();
        }
        drop(DataFolder::lock(&path).unwrap());
        for mended in [&path, &log, &path.join(LOCK_FILE)] {
            assert_eq!(mode(mended), 0o755);
        }
    }

    // Proves: operations.key-files
    #[cfg(unix)]
    #[test]
    fn other_users_lose_the_right_to_read_keys_credentials_and_mail() {
        use std::os::unix::fs::PermissionsExt;
        let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        drop(DataFolder::lock(&path).unwrap());
        let mail = path.join("mail");
        std::fs::create_dir(&mail).unwrap();
        std::fs::set_permissions(&mail, std::fs::Permissions::from_mode(0o755)).unwrap();
        let names = ["person-keys.sqlite", "credentials.sqlite", "credentials.sqlite-wal"];
        for file in names.map(|name| path.join(name)) {
            std::fs::write(&file, "x").unwrap();
            std::fs::set_permissions(&file, std::fs::Permissions::from_mode(0o644)).unwrap();
        }
        drop(DataFolder::lock(&path).unwrap());
        for file in names.map(|name| path.join(name)) {
            assert_eq!(mode(&file), 0o600, "{}", file.display());
        }
        assert_eq!(mode(&mail), 0o700);
    }

    #[test]
    fn a_file_instead_of_a_folder_is_refused_with_its_name() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        std::fs::write(&path, "x").unwrap();
        let error = DataFolder::lock(&path).unwrap_err().to_string();
        assert!(error.contains("data"), "{error}");
    }
}
