//! Files and folders that their owner alone may read, since keys and people's data lie in them.
//!
//! They are made so, not changed to it afterwards: there is no moment at which anybody else could open them.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;

/// Makes a folder, and those above it as the system makes them; one that is there stays as it is.
pub fn make_folder(path: &Path) -> io::Result<()> {
    if path.is_dir() {
        return Ok(());
    }
    if let Some(above) = path.parent() {
        fs::create_dir_all(above)?;
    }
    let mut builder = fs::DirBuilder::new();
    #[cfg(unix)]
    std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
    match builder.create(path) {
        // Somebody else was faster.
        Err(_) if path.is_dir() => Ok(()),
        made => made,
    }
}

/// Makes an empty file; one that is there stays as it is.
pub fn make_file(path: &Path) -> io::Result<()> {
    options().create(true).truncate(false).open(path).map(drop)
}

/// Writes a file that is not there yet, and has it on disk when this returns.
pub fn write_new(path: &Path, content: &[u8]) -> io::Result<()> {
    let mut file: File = options().create_new(true).open(path)?;
    file.write_all(content)?;
    file.sync_all()
}

/// Opens a file to read and write, made when there is none.
pub fn open_file(path: &Path) -> io::Result<File> {
    options().read(true).create(true).truncate(false).open(path)
}

/// The bits of a mode that let others than the owner write.
#[cfg(unix)]
const OTHERS_WRITE: u32 = 0o022;
/// The bits of a mode that let others than the owner do anything.
#[cfg(unix)]
const OTHERS: u32 = 0o077;

/// A change that [`mend`], [`mend_private`] or [`mend_key`] made to a mode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Mended {
    /// The mode before, as in 664.
    pub before: String,
    /// The mode since.
    pub now: String,
}

/// Takes from others the right to write a file or folder that is there. Links are left alone.
#[cfg(unix)]
pub fn mend(path: &Path) -> io::Result<Option<Mended>> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() { Ok(None) } else { without(path, &found, OTHERS_WRITE) }
}

/// Takes from others every right to a file or folder that is there. Links are left alone.
#[cfg(unix)]
pub fn mend_private(path: &Path) -> io::Result<Option<Mended>> {
    let found = fs::symlink_metadata(path)?;
    if found.is_symlink() { Ok(None) } else { without(path, &found, OTHERS) }
}

/// Refuses a key file that somebody else made, or that others may write: whoever planted it could sign with it.
/// Takes from others the right to read it.
#[cfg(unix)]
pub fn mend_key(path: &Path) -> io::Result<Option<Mended>> {
    check_key(path)?;
    // The mode of a file that the administrator made, or of one on a disk that can't be written, stays.
    Ok(without(path, &fs::metadata(path)?, OTHERS).unwrap_or(None))
}

/// Refuses a key file that somebody else made, or that others may write. Its owner is the user of this process, or
/// the owner of its folder when this process is the system's administrator; a file of the administrator is taken as
/// well. A link is judged by its own owner too: a planted one may lead to any file.
#[cfg(unix)]
pub fn check_key(path: &Path) -> io::Result<()> {
    use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _};
    let link = fs::symlink_metadata(path)?;
    let found = fs::metadata(path)?;
    let refused = |why: String| Err(io::Error::new(io::ErrorKind::PermissionDenied, why));
    let own = rustix::process::geteuid().as_raw();
    let user = match path.parent() {
        Some(folder) if own == 0 => fs::metadata(folder)?.uid(),
        _ => own,
    };
    let is_foreign = |owner: u32| owner != user && owner != 0;
    if let Some(owner) = [link.uid(), found.uid()].into_iter().find(|owner| is_foreign(*owner)) {
        return refused(format!(
            "key-not-private: it belongs to user {owner} and not to user {user}: make sure that it is the right one, \
             then give it to user {user} (chown)"
        ));
    }
    let mode = found.permissions().mode() & 0o777;
    if mode & OTHERS_WRITE != 0 {
        return refused(format!(
            "key-not-private: others than its owner may write it (mode {mode:o}): make sure that it is the right \
             one, then take that right away (chmod 600)"
        ));
    }
    Ok(())
}

#[cfg(unix)]
fn without(path: &Path, found: &fs::Metadata, bits: u32) -> io::Result<Option<Mended>> {
    use std::os::unix::fs::PermissionsExt as _;
    let before = found.permissions().mode() & 0o7777;
    if before & bits == 0 {
        return Ok(None);
    }
    fs::set_permissions(path, fs::Permissions::from_mode(before & !bits))?;
    Ok(Some(Mended { before: format!("{before:o}"), now: format!("{:o}", before & !bits) }))
}

/// Modes are looked after where there are some.
#[cfg(not(unix))]
pub fn mend(_: &Path) -> io::Result<Option<Mended>> {
    Ok(None)
}

/// Modes are looked after where there are some.
#[cfg(not(unix))]
pub fn mend_private(_: &Path) -> io::Result<Option<Mended>> {
    Ok(None)
}

/// Modes are looked after where there are some.
#[cfg(not(unix))]
pub fn mend_key(_: &Path) -> io::Result<Option<Mended>> {
    Ok(None)
}

/// Modes are looked after where there are some.
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

    #[cfg(unix)]
    #[test]
    fn what_is_made_is_its_owners_alone() {
        let folder = tempfile::tempdir().unwrap();
        let own = folder.path().join("above/own");
        make_folder(&own).unwrap();
        assert_eq!(mode(&own), 0o700);
        assert_ne!(mode(&folder.path().join("above")), 0o700);
        let (empty, full) = (own.join("empty"), own.join("full"));
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
    fn others_lose_the_right_to_write() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("file");
        fs::write(&file, "text").unwrap();
        for (before, now) in [(0o664, 0o644), (0o666, 0o644), (0o622, 0o600)] {
            set_mode(&file, before);
            assert!(mend(&file).unwrap().is_some());
            assert_eq!(mode(&file), now);
            assert_eq!(mend(&file).unwrap(), None);
        }
    }

    #[cfg(unix)]
    #[test]
    fn a_key_that_others_could_have_written_is_refused_and_one_they_could_read_is_mended() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        fs::write(&file, "text").unwrap();
        for planted in [0o660, 0o602] {
            set_mode(&file, planted);
            let error = mend_key(&file).unwrap_err().to_string();
            assert!(error.contains("key-not-private"), "{error}");
            assert_eq!(mode(&file), planted);
        }
        set_mode(&file, 0o644);
        assert!(mend_key(&file).unwrap().is_some());
        assert_eq!(mode(&file), 0o600);
    }

    #[cfg(unix)]
    #[test]
    fn a_key_of_another_user_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("key");
        write_new(&file, b"text").unwrap();
        // Only the system's administrator can give a file away.
        if std::os::unix::fs::chown(&file, Some(12_345), None).is_ok() {
            let error = check_key(&file).unwrap_err().to_string();
            assert!(error.contains("user 12345"), "{error}");
            // The administrator's commands work in the folder of a service's user.
            std::os::unix::fs::chown(folder.path(), Some(12_345), None).unwrap();
            check_key(&file).unwrap();
            // A link is as foreign as the one who made it, whatever it leads to.
            let link = folder.path().join("link");
            std::os::unix::fs::symlink("/etc/passwd", &link).unwrap();
            check_key(&link).unwrap();
            std::os::unix::fs::lchown(&link, Some(54_321), None).unwrap();
            let error = check_key(&link).unwrap_err().to_string();
            assert!(error.contains("user 54321"), "{error}");
        }
    }

    #[test]
    fn what_is_there_stays_as_it_is() {
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
