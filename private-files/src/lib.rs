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
