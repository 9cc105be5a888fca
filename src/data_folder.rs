//! The data folder: everything a shop on embedded engines keeps, held by one process at a time.
//!
//! The lock is the operating system's, so a kill frees it; the lock file says who holds it and where
//! that process listens, which is how the command line finds a running server.

use std::fs::{File, TryLockError};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::{Deserialize, Serialize};
use souk_http::Keys;
use souk_http::keys::KeysError;
use souk_private_files::{Mended, make_folder, mend, mend_private, open_file};
use souk_sqlite_log::{LOG_FILE, MANIFEST_FILE};
use souk_sqlite_person_keys::SqlitePersonKeys;
use souk_sqlite_read_models::READ_MODELS_FILE;

/// The lock file's name.
pub const LOCK_FILE: &str = "souk.lock";

/// The lock file of those who build read models.
const REBUILD_LOCK_FILE: &str = "rebuild.lock";
/// Tries to lock a file, with a pause between two.
const LOCK_TRIES: u32 = 4;
/// The pause between two tries to lock a file.
const LOCK_PAUSE: Duration = Duration::from_millis(25);

/// The keys of a data folder: made where there are none, unless people were kept under others.
pub fn keys_of(data: &Path) -> Result<Keys, KeysError> {
    if SqlitePersonKeys::exists_in(data) { Keys::read(data) } else { Keys::open(data) }
}

/// What the lock file says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Holder {
    /// The process that holds the folder.
    pub pid: u32,
    /// Where it listens, once it does.
    #[serde(default)]
    pub address: Option<String>,
}

/// Why a data folder can't be used.
#[derive(Debug, thiserror::Error)]
pub enum DataFolderError {
    /// Another process has it.
    #[error("the data folder {} is in use by process {pid}{}: stop it, or name another folder with --data",
        .folder.display(), .address.as_ref().map(|address| format!(", which listens on {address}")).unwrap_or_default())]
    InUse {
        /// The folder.
        folder: PathBuf,
        /// Who holds it.
        pid: u32,
        /// Where it listens.
        address: Option<String>,
    },
    /// There is no shop in it.
    #[error("there is no shop in {}: name its data folder with --data", .folder.display())]
    NoShop {
        /// The folder.
        folder: PathBuf,
    },
    /// There are read models, and no log that they were made from.
    #[error("log-truncated: the log in {} is gone: put log.sqlite back, or restore a backup (`souk log restore FOLDER`)", .folder.display())]
    LogGone {
        /// The folder.
        folder: PathBuf,
    },
    /// Somebody builds read models in it.
    #[error("read models are being built in {}, by `souk replay` or a shop that is starting: let that end, or stop it", .folder.display())]
    Rebuilding {
        /// The folder.
        folder: PathBuf,
    },
    /// It is a backup.
    #[error("{} is a backup of a log, no shop: restore it into another folder (`souk log restore {} --data DIR`)", .folder.display(), .folder.display())]
    IsBackup {
        /// The folder.
        folder: PathBuf,
    },
    /// It can't be read or written.
    #[error("the data folder {} can't be used: {error}", .folder.display())]
    Io {
        /// The folder.
        folder: PathBuf,
        /// What the system said.
        error: io::Error,
    },
}

/// A data folder that this process holds, until it is dropped.
#[derive(Debug)]
pub struct DataFolder {
    path: PathBuf,
    lock: File,
}

impl DataFolder {
    /// Makes the folder if it is missing, and locks it.
    pub fn lock(path: &Path) -> Result<Self, DataFolderError> {
        let failed = |error| DataFolderError::Io { folder: path.to_owned(), error };
        if path.join(MANIFEST_FILE).exists() {
            return Err(DataFolderError::IsBackup { folder: path.to_owned() });
        }
        make_folder(path).map_err(failed)?;
        let file_path = path.join(LOCK_FILE);
        mend_all(path).map_err(failed)?;
        let lock = open_file(&file_path).map_err(failed)?;
        match lock_at_last(&lock) {
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

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Notes where this process listens, for others to find.
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

/// The beginnings of the names of files and folders that hold secrets unsealed: keys of people, hashes of passwords,
/// mailed tokens.
const PRIVATE_NAMES: [&str; 3] = ["person-keys.sqlite", "credentials.sqlite", "mail"];

/// Returns true for a file or folder that others may not read.
fn is_private(path: &Path) -> bool {
    let name = path.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| PRIVATE_NAMES.iter().any(|private| name.starts_with(private)))
}

/// Takes from others the right to write the folder and what lies in it, and to read what is private. The folder `keys`
/// looks after itself.
fn mend_all(folder: &Path) -> io::Result<()> {
    let entries = std::fs::read_dir(folder)?.map(|entry| entry.map(|entry| entry.path()));
    for path in std::iter::once(Ok(folder.to_owned())).chain(entries) {
        let path = path?;
        let is_private = path != folder && is_private(&path);
        match if is_private { mend_private(&path) } else { mend(&path) } {
            Ok(None) => {}
            Ok(Some(Mended { before, now })) if is_private => {
                let path = path.display();
                tracing::warn!(%path, before, now, "others could open what the shop keeps for itself");
            }
            Ok(Some(Mended { before, now })) => {
                let path = path.display();
                tracing::warn!(%path, before, now, "others could write what the shop keeps");
            }
            // Another process removed it meanwhile.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => {
                let path = path.display();
                tracing::warn!(%path, %error, "whether others may write what the shop keeps is not known");
            }
        }
    }
    Ok(())
}

/// Refuses a folder without a shop, or one whose log is gone.
pub fn require_shop(path: &Path) -> Result<(), DataFolderError> {
    require_no_loss(path)?;
    if path.join(MANIFEST_FILE).exists() {
        return Err(DataFolderError::IsBackup { folder: path.to_owned() });
    }
    let has_shop = path.join(LOG_FILE).exists();
    if has_shop { Ok(()) } else { Err(DataFolderError::NoShop { folder: path.to_owned() }) }
}

/// Refuses a folder that has read models of a log and no log.
pub fn require_no_loss(path: &Path) -> Result<(), DataFolderError> {
    let is_there = |name| path.join(name).exists();
    let is_lost = is_there(READ_MODELS_FILE) && !is_there(LOG_FILE);
    if is_lost { Err(DataFolderError::LogGone { folder: path.to_owned() }) } else { Ok(()) }
}

/// Held by whoever makes builds of these read models: two would fold into the same one.
pub fn lock_rebuilds(folder: &Path, models: &[&str]) -> Result<File, DataFolderError> {
    let failed = |error| DataFolderError::Io { folder: folder.to_owned(), error };
    let mut lock = open_file(&folder.join(REBUILD_LOCK_FILE)).map_err(failed)?;
    match lock_at_last(&lock) {
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

/// The read models that a process builds right now; a build of another one stands still.
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

/// Locks a file unless a process keeps it: one that looks who holds it has it for a moment only.
fn lock_at_last(lock: &File) -> Result<(), TryLockError> {
    for _ in 1..LOCK_TRIES {
        match lock.try_lock() {
            Err(TryLockError::WouldBlock) => std::thread::sleep(LOCK_PAUSE),
            locked => return locked,
        }
    }
    lock.try_lock()
}

/// Who holds the folder right now; `None` when nobody does.
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

    #[test]
    fn a_folder_is_held_by_one_and_free_again_afterwards() {
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
    fn models_are_being_rebuilt_while_their_lock_is_held_and_no_longer() {
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
    fn others_lose_the_right_to_write_what_lies_in_a_folder() {
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

    #[cfg(unix)]
    #[test]
    fn others_lose_the_right_to_read_keys_credentials_and_mail() {
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
    fn a_folder_that_is_a_file_is_refused_by_name() {
        let parent = tempfile::tempdir().unwrap();
        let path = parent.path().join("data");
        std::fs::write(&path, "x").unwrap();
        let error = DataFolder::lock(&path).unwrap_err().to_string();
        assert!(error.contains("data"), "{error}");
    }
}
