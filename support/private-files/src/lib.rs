//! Files and folders that only their owner can read, because they contain keys and personal data.
//!
//! New files and folders get their restricted mode at creation, so other users can't open them at any moment.
//! For existing files there are functions that remove the access of other users. "Other users" means
//! everybody but the owner, including the group. On systems without Unix modes the access of existing files
//! is not changed.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Creates a folder that only its owner can open. Missing parent folders get the system's default mode. An
/// existing folder is not changed.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        // Another process created the folder at the same time.
        Err(_) if path.is_dir() => Ok(()),
        result => result,
    }
}

/// Creates an empty file that only its owner can open. An existing file is not changed.
pub fn make_file(path: &Path) -> io::Result<()> {
    options().create(true).truncate(false).open(path).map(drop)
}

/// Writes a new file that only its owner can open. The content is on disk when the function returns. Returns
/// an error if the file exists.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file: File = options().create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Opens a file for reading and writing. Creates it if it does not exist, so that only its owner can open it.
pub fn open_file(path: &Path) -> io::Result<File> {
    options().read(true).create(true).truncate(false).open(path)
}

/// Mode bits that let other users write.
#[cfg(unix)]
const WRITE_OF_OTHERS: u32 = 0o022;
/// Mode bits that give other users any access.
#[cfg(unix)]
const ACCESS_OF_OTHERS: u32 = 0o077;

/// Change of a file's mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModeChange {
    /// Mode before the change, in octal digits such as 664.
    pub before: String,
    /// Mode after the change, in octal digits.
    pub now: String,
}

/// Removes the permission of other users to write a file or folder. Returns the change, if there was one.
/// Symbolic links are not changed.
#[cfg(unix)]
pub fn forbid_writing(path: &Path) -> io::Result<Option<ModeChange>> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() { Ok(None) } else { clear_bits(path, &found, WRITE_OF_OTHERS) }
}

/// Removes all access of other users to a file or folder. Returns the change, if there was one. Symbolic
/// links are not changed.
#[cfg(unix)]
pub fn forbid_access(path: &Path) -> io::Result<Option<ModeChange>> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() { Ok(None) } else { clear_bits(path, &found, ACCESS_OF_OTHERS) }
}

/// Checks a key file with [`check_key`], then removes all access of other users. Returns the change, if there
/// was one.
#[cfg(unix)]
pub fn secure_key(path: &Path) -> io::Result<Option<ModeChange>> {
    check_key(path)?;
    // The change fails for a file of the administrator or on a read-only disk. Such a file keeps its mode.
    Ok(clear_bits(path, &fs::metadata(path)?, ACCESS_OF_OTHERS).unwrap_or(None))
}

/// Returns an error if a key file belongs to a foreign user, or if other users may write it: an attacker
/// could have planted the key, and could then sign tokens with it.
///
/// The expected owner is the user of this process. If this process runs as the system's administrator, the
/// expected owner is the owner of the folder. Files of the administrator are always accepted. For a symbolic
/// link, the owner of the link is checked as well, because an attacker could plant a link to any file.
#[cfg(unix)]
pub fn check_key(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let link = fs::symlink_metadata(path)?;
    let found = fs::metadata(path)?;
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    let process_user = rustix::process::geteuid().as_raw();
    let user = match path.parent() {
        Some(folder) if process_user == 0 => fs::metadata(folder)?.uid(),
        _ => process_user,
    };
    let is_foreign = |owner: u32| owner != user && owner != 0;
    if let Some(owner) = [link.uid(), found.uid()].into_iter().find(|owner| is_foreign(*owner)) {
        return refused(format!(
            "key-not-private: the file belongs to user {owner}, not to user {user}. Check that it is the right key, \
             then change its owner to {user} (chown)"
        ));
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & WRITE_OF_OTHERS != 0 {
        return refused(format!(
            "key-not-private: other users may write the file (mode {mode:o}). Check that it is the right key, then \
             remove their permission (chmod 600)"
        ));
    }
    Ok(())
}

#[cfg(unix)]
fn clear_bits(path: &Path, found: &fs::Metadata, bits: u32) -> io::Result<Option<ModeChange>> {
    use std::os::unix::fs::PermissionsExt as _;
    let before = found.permissions().mode() & 0o7777;
    if before & bits == 0 {
        return Ok(None);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(before & !bits))?;
    Ok(Some(ModeChange { before: format!("{before:o}"), now: format!("{:o}", before & !bits) }))
}

/// Does nothing: this system has no Unix modes.
#[cfg(not(unix))]
pub fn forbid_writing(_: &Path) -> io::Result<Option<ModeChange>> {
    Ok(None)
}

/// Does nothing: this system has no Unix modes.
#[cfg(not(unix))]
pub fn forbid_access(_: &Path) -> io::Result<Option<ModeChange>> {
    Ok(None)
}

/// Does nothing: this system has no Unix modes.
#[cfg(not(unix))]
pub fn secure_key(_: &Path) -> io::Result<Option<ModeChange>> {
    Ok(None)
}

/// Does nothing: this system has no Unix modes.
#[cfg(not(unix))]
pub fn check_key(_: &Path) -> io::Result<()> {
    Ok(())
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    options.write(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    options
}

#[cfg(test)]
mod tests {
    use super::*;

    #[cfg(unix)]
    fn mode(path: &Path) -> u32 {
        std::os::unix::fs::PermissionsExt::mode(&fs::metadata(path).unwrap().permissions()) & 0o777
    }

    // Proves: operations.key-files
    #[cfg(unix)]
    #[test]
    fn only_the_owner_can_open_new_files_and_folders() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("parent/own");
        make_folder(&own).unwrap();
        assert_eq!(mode(&own), 0o700);
        assert_ne!(mode(&folder.path().join("parent")), 0o700);
        let empty = own.join("empty");
        let full = own.join("full");
        make_file(&empty).unwrap();
        write_new(&full, b"text").unwrap();
        assert_eq!((mode(&empty), mode(&full)), (0o600, 0o600));
    }

    #[cfg(unix)]
    fn set_mode(path: &Path, mode: u32) {
        let mode = std::os::unix::fs::PermissionsExt::from_mode(mode);
        fs::set_permissions(path, mode).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn other_users_lose_the_permission_to_write() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "text").unwrap();
        for (before, now) in [(0o664, 0o644), (0o666, 0o644), (0o622, 0o600)] {
            set_mode(&file, before);
            assert!(forbid_writing(&file).unwrap().is_some());
            assert_eq!(mode(&file), now);
            assert_eq!(forbid_writing(&file).unwrap(), None);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_other_users_may_write_is_refused_and_one_they_may_read_is_secured() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "text").unwrap();
        for planted in [0o660, 0o602] {
            set_mode(&file, planted);
            let error = secure_key(&file).unwrap_err().to_string();
            assert!(error.contains("key-not-private"), "{error}");
            assert_eq!(mode(&file), planted);
        }
        set_mode(&file, 0o644);
        assert!(secure_key(&file).unwrap().is_some());
        assert_eq!(mode(&file), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        write_new(&file, b"text").unwrap();
        // Only the system's administrator can change the owner of a file.
        if std::os::unix::fs::chown(&file, Some(12_345), None).is_ok() {
            let error = check_key(&file).unwrap_err().to_string();
            assert!(error.contains("user 12345"), "{error}");
            // The administrator's commands accept keys in a folder of the service user.
            std::os::unix::fs::chown(folder.path(), Some(12_345), None).unwrap();
            check_key(&file).unwrap();
            // A link is judged by its own owner, even if it points to a file of the administrator.
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
            check_key(&link).unwrap();
            std::os::unix::fs::lchown(&link, Some(54_321), None).unwrap();
            let error = check_key(&link).unwrap_err().to_string();
            assert!(error.contains("user 54321"), "{error}");
        }
    }

    #[test]
    fn existing_files_and_folders_are_not_changed() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "text").unwrap();
        make_file(&file).unwrap();
        assert_eq!(fs::read(&file).unwrap(), b"text");
        assert_eq!(write_new(&file, b"other").unwrap_err().kind(), io::ErrorKind::AlreadyExists);
        make_folder(folder.path()).unwrap();
        assert!(make_folder(&file).is_err());
    }
}
