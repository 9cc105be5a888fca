//! The data folder of a test shop, with an empty log and empty read models.
//!
//! The engines sync every table that they create and every event. One test opens a thousand shops, so the
//! folder lies in memory where the system has a file system in memory, and its files are copies of files that
//! are made once in each test process. On a busy disk, the tests of the command API take five times as long.

use std::fs;
use std::path::Path;
use std::sync::Arc;

use souk_eventsourcing::projector::{OpenBuild, ReadModelStore};
use souk_sqlite_log::{LOG_FILE, Options, SqliteLog};
use souk_sqlite_read_models::{READ_MODELS_FILE, SqliteReadModels, Tuning};
use tempfile::TempDir;
use tokio::sync::OnceCell;
use uuid::Uuid;

/// Names of the copied files.
const FILES: [&str; 2] = [LOG_FILE, READ_MODELS_FILE];

/// Contents of the copied files.
static CONTENTS: OnceCell<[Vec<u8>; 2]> = OnceCell::const_new();

/// Makes a data folder with a copy of the empty files.
pub(crate) async fn make() -> TempDir {
    let contents = CONTENTS.get_or_init(empty_files).await;
    let folder = temporary_folder();
    for (name, content) in FILES.into_iter().zip(contents) {
        fs::write(folder.path().join(name), content).unwrap();
    }
    folder
}

/// Makes an empty folder, in memory where the system has a file system in memory.
fn temporary_folder() -> TempDir {
    let memory = Path::new("/dev/shm");
    if memory.is_dir() { tempfile::tempdir_in(memory).unwrap() } else { tempfile::tempdir().unwrap() }
}

async fn empty_files() -> [Vec<u8>; 2] {
    let folder = temporary_folder();
    drop(open_log(folder.path()));
    drop(open_read_models(folder.path()).await);
    FILES.map(|name| fs::read(folder.path().join(name)).unwrap())
}

/// Opens the log in a data folder.
pub(crate) fn open_log(folder: &Path) -> Arc<SqliteLog> {
    SqliteLog::open(folder, &Options::default()).unwrap()
}

/// Opens the read models in a data folder.
pub(crate) async fn open_read_models(folder: &Path) -> (Arc<SqliteReadModels>, Vec<OpenBuild>) {
    let models = SqliteReadModels::open(folder, Uuid::nil(), Tuning::SERVING).unwrap();
    let builds = ReadModelStore::open(&*models, &souk_projections::models()).await.unwrap();
    (models, builds)
}
