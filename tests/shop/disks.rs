//! A separate disk for one test: an ext4 file system in a file, which the test mounts.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

/// Size of the disk, in bytes.
const BYTES: u64 = 96 * 1024 * 1024;
/// Size of a file that fills a part of the disk, in bytes. [`Disk::make_room`] deletes it.
const BALLAST_BYTES: usize = 40 * 1024 * 1024;

/// A mounted file system. It is unmounted when it is dropped.
pub(crate) struct Disk {
    scratch: TempDir,
}

impl Disk {
    /// Mounts a new file system. Only root can mount. For other users, this prints a message and returns
    /// `None`; the tests of `lossy-disk` then are the only ones that cover disk faults.
    pub(crate) fn new() -> Option<Self> {
        if run("id", &["-u"]) != "0" {
            eprintln!("skipped: only root can mount a file system");
            return None;
        }
        let disk = Self { scratch: tempfile::tempdir().unwrap() };
        File::create_new(disk.image()).unwrap().set_len(BYTES).unwrap();
        fs::create_dir(disk.root()).unwrap();
        run("mkfs.ext4", &["-q", text(&disk.image())]);
        disk.mount();
        fs::write(disk.root().join("ballast"), vec![1; BALLAST_BYTES]).unwrap();
        Some(disk)
    }

    /// Creates a data folder on the disk.
    pub(crate) fn folder(&self) -> TempDir {
        tempfile::tempdir_in(self.root()).unwrap()
    }

    pub(crate) fn make_room(&self) {
        fs::remove_file(self.root().join("ballast")).unwrap();
    }

    /// Triggers an error of the file system, which then refuses all writes.
    pub(crate) fn turn_read_only(&self) {
        let device = run("findmnt", &["--noheadings", "--output", "SOURCE", text(&self.root())]);
        let name = Path::new(&device).file_name().unwrap();
        fs::write(Path::new("/sys/fs/ext4").join(name).join("trigger_fs_error"), "1").unwrap();
    }

    /// Repairs the file system and mounts it again, as an operator would.
    pub(crate) fn repair(&self) {
        run("umount", &[text(&self.root())]);
        let checked = Command::new("e2fsck").args(["-f", "-y"]).arg(self.image()).output().unwrap();
        // 1: errors were found and corrected.
        assert!(matches!(checked.status.code(), Some(0 | 1)), "{checked:?}");
        self.mount();
    }

    fn mount(&self) {
        run("mount", &["-o", "loop,errors=remount-ro", text(&self.image()), text(&self.root())]);
    }

    fn image(&self) -> PathBuf {
        self.scratch.path().join("image")
    }

    fn root(&self) -> PathBuf {
        self.scratch.path().join("disk")
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(self.root()).status();
    }
}

fn text(path: &Path) -> &str {
    path.to_str().unwrap()
}

fn run(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output().unwrap();
    assert!(output.status.success(), "{program} {arguments:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap().trim().to_owned()
}
