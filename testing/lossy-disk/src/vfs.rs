//! The way into `SQLite`: its own VFS for this system, of which four calls pass by a [`Disk`] first.
//!
//! It becomes the default VFS, so that whatever opens a database comes by here without knowing. Files
//! outside the folders of a mounted disk are left alone. See <https://www.sqlite.org/vfs.html>.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use rusqlite::ffi;

use crate::{Disk, Refusal};

/// What was there before, and who passes by here now.
struct Hooks {
    open: unsafe extern "C" fn(
        *mut ffi::sqlite3_vfs,
        *const c_char,
        *mut ffi::sqlite3_file,
        c_int,
        *mut c_int,
    ) -> c_int,
    delete: unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *const c_char, c_int) -> c_int,
    disks: Mutex<HashMap<PathBuf, Weak<Disk>>>,
    files: Mutex<HashMap<usize, OpenFile>>,
}

/// A file of a disk that is open.
#[derive(Clone)]
struct OpenFile {
    disk: Arc<Disk>,
    path: PathBuf,
    system: &'static ffi::sqlite3_io_methods,
}

static HOOKS: OnceLock<Hooks> = OnceLock::new();

/// Has a folder's files pass by a disk.
pub(crate) fn mount(folder: &Path, disk: &Arc<Disk>) {
    let hooks = HOOKS.get_or_init(install);
    hooks
        .disks
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(folder.to_owned(), Arc::downgrade(disk));
}

/// Leaves a folder's files alone again; those that are open go on as they began.
pub(crate) fn unmount(folder: &Path) {
    if let Some(hooks) = HOOKS.get() {
        hooks.disks.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
    }
}

fn install() -> Hooks {
    // SAFETY: a null name asks for the default VFS, which lives as long as the program. The copy differs
    // from it in its name and two functions, and is leaked, so that it lives as long.
    unsafe {
        ffi::sqlite3_initialize();
        let system = *ffi::sqlite3_vfs_find(std::ptr::null());
        let mut lossy = system;
        lossy.zName = c"lossy".as_ptr();
        lossy.pNext = std::ptr::null_mut();
        lossy.xOpen = Some(open);
        lossy.xDelete = Some(delete);
        let made = ffi::sqlite3_vfs_register(Box::leak(Box::new(lossy)), 1);
        assert_eq!(made, ffi::SQLITE_OK, "SQLite takes no VFS");
        Hooks {
            open: system.xOpen.expect("a VFS opens files"),
            delete: system.xDelete.expect("a VFS deletes files"),
            disks: Mutex::default(),
            files: Mutex::default(),
        }
    }
}

impl Hooks {
    /// The disk that a file lies on.
    fn disk_of(&self, path: &Path) -> Option<Arc<Disk>> {
        let disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner);
        disks.get(path.parent()?)?.upgrade()
    }

    fn file(&self, file: *mut ffi::sqlite3_file) -> OpenFile {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(&file.addr()).cloned().expect("only files of a disk have these functions")
    }
}

fn hooks() -> &'static Hooks {
    HOOKS.get().expect("these functions are known once they are installed")
}

/// # Safety
/// As `SQLite` calls it: the name is null or ends with a null byte.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: as promised.
    unsafe { CStr::from_ptr(name) }.to_str().ok().map(PathBuf::from)
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: `SQLite` calls this as it would call the system's, which gets what it expects: the copy of
    // the VFS has the same fields. A file that was opened has its table of functions.
    unsafe {
        let path = path_of(name);
        let disk = path.as_deref().and_then(|path| hooks().disk_of(path));
        if let (Some(disk), Some(path)) = (&disk, &path)
            && disk.opens(path).is_err()
        {
            (*file).pMethods = std::ptr::null();
            return ffi::SQLITE_CANTOPEN;
        }
        let opened = (hooks().open)(vfs, name, file, flags, flags_out);
        if let (ffi::SQLITE_OK, Some(disk), Some(path)) = (opened, disk, path) {
            let system: &'static ffi::sqlite3_io_methods = &*(*file).pMethods;
            (*file).pMethods = methods_beside(system);
            let mut files = hooks().files.lock().unwrap_or_else(PoisonError::into_inner);
            files.insert(file.addr(), OpenFile { disk, path, system });
        }
        opened
    }
}

/// The system's functions, but for those that pass by a disk. The system has a few tables of them, for
/// kinds of locks.
fn methods_beside(system: &'static ffi::sqlite3_io_methods) -> &'static ffi::sqlite3_io_methods {
    /// By the address of the system's.
    static MADE: Mutex<Option<HashMap<usize, &'static ffi::sqlite3_io_methods>>> = Mutex::new(None);
    let mut made = MADE.lock().unwrap_or_else(PoisonError::into_inner);
    made.get_or_insert_default().entry(std::ptr::from_ref(system).addr()).or_insert_with(|| {
        let mut methods = *system;
        methods.xClose = Some(close);
        methods.xWrite = Some(write);
        methods.xTruncate = Some(truncate);
        methods.xSync = Some(sync);
        Box::leak(Box::new(methods))
    })
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, syncs_folder: c_int) -> c_int {
    // SAFETY: as for `open`.
    unsafe {
        if let Some(path) = path_of(name)
            && let Some(disk) = hooks().disk_of(&path)
            && disk.deletes(&path, syncs_folder != 0).is_err()
        {
            return ffi::SQLITE_IOERR_DELETE;
        }
        (hooks().delete)(vfs, name, syncs_folder)
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let OpenFile { system, .. } = hooks().file(file);
    hooks().files.lock().unwrap_or_else(PoisonError::into_inner).remove(&file.addr());
    // SAFETY: the system's function, for a file that the system opened.
    unsafe { system.xClose.map_or(ffi::SQLITE_OK, |close| close(file)) }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    bytes: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let OpenFile { disk, path, system } = hooks().file(file);
    let (Ok(length), Ok(from)) = (usize::try_from(bytes), usize::try_from(offset)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: `SQLite` gives as many bytes as it says; the system's function for a file it opened.
    unsafe {
        let content = std::slice::from_raw_parts(data.cast::<u8>(), length);
        match disk.writes(&path, from, content) {
            Ok(()) => system.xWrite.map_or(ffi::SQLITE_IOERR, |write| write(file, data, bytes, offset)),
            Err(Refusal::Full) => ffi::SQLITE_FULL,
            Err(Refusal::Broken) => ffi::SQLITE_IOERR_WRITE,
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    let OpenFile { disk, path, system } = hooks().file(file);
    let resized = usize::try_from(length).map_err(|_| Refusal::Broken);
    if resized.and_then(|length| disk.resizes(&path, length)).is_err() {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    // SAFETY: the system's function, for a file that the system opened.
    unsafe { system.xTruncate.map_or(ffi::SQLITE_IOERR, |truncate| truncate(file, length)) }
}

/// The system is not asked to sync: this disk is the one that keeps what a sync covers.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    let OpenFile { disk, path, .. } = hooks().file(file);
    if disk.syncs(&path).is_ok() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_FSYNC }
}
