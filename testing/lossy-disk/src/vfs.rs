//! VFS of `SQLite` that sends each write, deletion and truncation of a file first to a [`Disk`] and then to
//! the VFS of the operating system. Syncs go only to the [`Disk`].
//!
//! It becomes the default VFS, so that all databases use it without a change. Files outside the folders of
//! mounted disks are not affected. See <https://www.sqlite.org/vfs.html>.

use std::collections::HashMap;
use std::ffi::{CStr, c_char, c_int, c_void};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, OnceLock, PoisonError, Weak};

use rusqlite::ffi;

use crate::{Disk, DiskError};

/// Original functions of the operating system's VFS, the mounted disks and their open files.
struct VfsState {
    system_open: unsafe extern "C" fn(
        *mut ffi::sqlite3_vfs,
        *const c_char,
        *mut ffi::sqlite3_file,
        c_int,
        *mut c_int,
    ) -> c_int,
    system_delete: unsafe extern "C" fn(*mut ffi::sqlite3_vfs, *const c_char, c_int) -> c_int,
    disks: Mutex<HashMap<PathBuf, Weak<Disk>>>,
    files: Mutex<HashMap<usize, OpenFile>>,
}

/// Open file of a disk, with the file functions of the operating system's VFS.
#[derive(Clone)]
struct OpenFile {
    disk: Arc<Disk>,
    path: PathBuf,
    system: &'static ffi::sqlite3_io_methods,
}

static STATE: OnceLock<VfsState> = OnceLock::new();

/// Starts to send the operations on the files of a folder to a disk.
pub(crate) fn mount(folder: &Path, disk: &Arc<Disk>) {
    let state = STATE.get_or_init(install);
    state
        .disks
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .insert(folder.to_owned(), Arc::downgrade(disk));
}

/// Stops this for files that are opened from now on. Operations on files that are already open still go to
/// the disk.
pub(crate) fn unmount(folder: &Path) {
    if let Some(state) = STATE.get() {
        state.disks.lock().unwrap_or_else(PoisonError::into_inner).remove(folder);
    }
}

fn install() -> VfsState {
    // SAFETY: a null name returns the default VFS, which lives as long as the program. The copy of it has
    // another name and two other functions. The copy is leaked, so it also lives as long as the program.
    unsafe {
        ffi::sqlite3_initialize();
        let system = *ffi::sqlite3_vfs_find(std::ptr::null());
        let mut lossy = system;
        lossy.zName = c"lossy".as_ptr();
        lossy.pNext = std::ptr::null_mut();
        lossy.xOpen = Some(open);
        lossy.xDelete = Some(delete);
        let result = ffi::sqlite3_vfs_register(Box::leak(Box::new(lossy)), 1);
        assert_eq!(result, ffi::SQLITE_OK, "SQLite did not register the VFS");
        VfsState {
            system_open: system.xOpen.expect("every VFS has this function"),
            system_delete: system.xDelete.expect("every VFS has this function"),
            disks: Mutex::default(),
            files: Mutex::default(),
        }
    }
}

impl VfsState {
    /// Returns the disk of a file.
    fn disk_of(&self, path: &Path) -> Option<Arc<Disk>> {
        let disks = self.disks.lock().unwrap_or_else(PoisonError::into_inner);
        disks.get(path.parent()?)?.upgrade()
    }

    fn file(&self, file: *mut ffi::sqlite3_file) -> OpenFile {
        let files = self.files.lock().unwrap_or_else(PoisonError::into_inner);
        files.get(&file.addr()).cloned().expect("only open files of a disk have these functions")
    }
}

fn state() -> &'static VfsState {
    STATE.get().expect("SQLite can call these functions only after `install`")
}

/// Converts a file name of `SQLite` to a path.
///
/// # Safety
/// The name must be null or end with a null byte.
unsafe fn path_of(name: *const c_char) -> Option<PathBuf> {
    if name.is_null() {
        return None;
    }
    // SAFETY: the name is not null, so it ends with a null byte.
    unsafe { CStr::from_ptr(name) }.to_str().ok().map(PathBuf::from)
}

unsafe extern "C" fn open(
    vfs: *mut ffi::sqlite3_vfs,
    name: *const c_char,
    file: *mut ffi::sqlite3_file,
    flags: c_int,
    flags_out: *mut c_int,
) -> c_int {
    // SAFETY: `SQLite` passes valid arguments, and this function passes them on to the system's function. The
    // copy of the VFS has the same fields as the original. If the file was opened, `pMethods` points to its
    // table of functions.
    unsafe {
        let path = path_of(name);
        let disk = path.as_deref().and_then(|path| state().disk_of(path));
        if let (Some(disk), Some(path)) = (&disk, &path)
            && disk.open(path).is_err()
        {
            (*file).pMethods = std::ptr::null();
            return ffi::SQLITE_CANTOPEN;
        }
        let opened = (state().system_open)(vfs, name, file, flags, flags_out);
        if let (ffi::SQLITE_OK, Some(disk), Some(path)) = (opened, disk, path) {
            let system: &'static ffi::sqlite3_io_methods = &*(*file).pMethods;
            (*file).pMethods = lossy_methods(system);
            let mut files = state().files.lock().unwrap_or_else(PoisonError::into_inner);
            files.insert(file.addr(), OpenFile { disk, path, system });
        }
        opened
    }
}

/// Returns a copy of the system's table of file functions, with four functions replaced by those of this
/// module. The system has several tables, one for each kind of lock.
fn lossy_methods(system: &'static ffi::sqlite3_io_methods) -> &'static ffi::sqlite3_io_methods {
    /// Copies by the address of the system's table.
    static COPIES: Mutex<Option<HashMap<usize, &'static ffi::sqlite3_io_methods>>> = Mutex::new(None);
    let mut copies = COPIES.lock().unwrap_or_else(PoisonError::into_inner);
    copies.get_or_insert_default().entry(std::ptr::from_ref(system).addr()).or_insert_with(|| {
        let mut methods = *system;
        methods.xClose = Some(close);
        methods.xWrite = Some(write);
        methods.xTruncate = Some(truncate);
        methods.xSync = Some(sync);
        Box::leak(Box::new(methods))
    })
}

unsafe extern "C" fn delete(vfs: *mut ffi::sqlite3_vfs, name: *const c_char, syncs_folder: c_int) -> c_int {
    // SAFETY: `SQLite` passes valid arguments, and this function passes them on to the system's function.
    unsafe {
        if let Some(path) = path_of(name)
            && let Some(disk) = state().disk_of(&path)
            && disk.delete(&path, syncs_folder != 0).is_err()
        {
            return ffi::SQLITE_IOERR_DELETE;
        }
        (state().system_delete)(vfs, name, syncs_folder)
    }
}

unsafe extern "C" fn close(file: *mut ffi::sqlite3_file) -> c_int {
    let OpenFile { system, .. } = state().file(file);
    state().files.lock().unwrap_or_else(PoisonError::into_inner).remove(&file.addr());
    // SAFETY: the function and the file belong to the system's VFS.
    unsafe { system.xClose.map_or(ffi::SQLITE_OK, |close| close(file)) }
}

unsafe extern "C" fn write(
    file: *mut ffi::sqlite3_file,
    data: *const c_void,
    bytes: c_int,
    offset: ffi::sqlite3_int64,
) -> c_int {
    let OpenFile { disk, path, system } = state().file(file);
    let (Ok(length), Ok(from)) = (usize::try_from(bytes), usize::try_from(offset)) else {
        return ffi::SQLITE_IOERR_WRITE;
    };
    // SAFETY: `data` points to `length` bytes. The function and the file belong to the system's VFS.
    unsafe {
        let content = std::slice::from_raw_parts(data.cast::<u8>(), length);
        match disk.write(&path, from, content) {
            Ok(()) => system.xWrite.map_or(ffi::SQLITE_IOERR, |write| write(file, data, bytes, offset)),
            Err(DiskError::Full) => ffi::SQLITE_FULL,
            Err(DiskError::Broken) => ffi::SQLITE_IOERR_WRITE,
        }
    }
}

unsafe extern "C" fn truncate(file: *mut ffi::sqlite3_file, length: ffi::sqlite3_int64) -> c_int {
    let OpenFile { disk, path, system } = state().file(file);
    let resized = usize::try_from(length).map_err(|_| DiskError::Broken);
    if resized.and_then(|length| disk.resize(&path, length)).is_err() {
        return ffi::SQLITE_IOERR_TRUNCATE;
    }
    // SAFETY: the function and the file belong to the system's VFS.
    unsafe { system.xTruncate.map_or(ffi::SQLITE_IOERR, |truncate| truncate(file, length)) }
}

/// Syncs the file on the simulated disk only. The system does not have to sync, because the simulated disk
/// decides what survives.
unsafe extern "C" fn sync(file: *mut ffi::sqlite3_file, _: c_int) -> c_int {
    let OpenFile { disk, path, .. } = state().file(file);
    if disk.sync(&path).is_ok() { ffi::SQLITE_OK } else { ffi::SQLITE_IOERR_FSYNC }
}
