//! Read models and process state in SQLite, in a database of their own, so that projectors never wait
//! for the log's writer.
//!
//! One writer thread with one connection. Everything here can be built again from the log: commits are
//! atomic, but synced only now and then, and a damaged file is thrown away. Tables are made from a
//! model's shape and named with its version; queries name views.

mod compare;
mod ddl;
mod process_state;
mod write;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use rusqlite::Connection;
use souk_eventsourcing::Position;
use souk_eventsourcing::process::{ProcessRows, ProcessStateError, ProcessStateStore};
use souk_eventsourcing::projector::{Model, ModelChange, ReadModelError, ReadModelStore};
use tokio::sync::{mpsc, oneshot};

pub use compare::{Comparison, Difference, compare};

/// The database's file in its folder.
pub const READ_MODELS_FILE: &str = "read-models.sqlite";
/// `SKRM` as the SQLite application id.
const APPLICATION_ID: u32 = 0x534B_524D;
/// The format that this program writes.
const FORMAT: u32 = 1;
/// Pieces of work that may wait for the writer.
const QUEUE_MAX: usize = 64;
/// Page cache of the writer, in KiB.
const CACHE_KIB: i64 = 32 * 1024;
/// Frames after which the WAL is moved into the database.
const CHECKPOINT_FRAMES: u32 = 2_000;
/// Prepared statements that are kept: a few for each model.
const STATEMENTS_MAX: usize = 200;

/// Why the read models can't be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The file can't be used.
    #[error("the read models {} can't be used: {reason}; they hold nothing that is not in the log: remove the file and start again, or run `souk replay --all`", .path.display())]
    Unusable {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
}

type Work = Box<dyn FnOnce(&mut Connection) + Send>;

/// The database.
pub struct SqliteReadModels {
    work: mpsc::Sender<Work>,
    path: PathBuf,
}

impl SqliteReadModels {
    /// Opens the database in a folder, or makes it.
    pub fn open(folder: &Path) -> Result<Arc<Self>, OpenError> {
        let path = folder.join(READ_MODELS_FILE);
        let unusable = |reason: String| OpenError::Unusable { path: path.clone(), reason };
        let mut connection = connect(&path).map_err(|error| unusable(error.to_string()))?.map_err(unusable)?;
        let (work, mut waiting) = mpsc::channel::<Work>(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("read-models".to_owned());
        let spawned = thread.spawn(move || {
            while let Some(work) = waiting.blocking_recv() {
                work(&mut connection);
            }
        });
        spawned.map_err(|error| unusable(error.to_string()))?;
        Ok(Arc::new(Self { work, path }))
    }

    /// Its file, for those who query.
    pub fn path(&self) -> &Path {
        &self.path
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, String> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |connection| {
            // Whoever asked may have gone away.
            let _ = answer.send(work(connection));
        });
        self.work.send(work).await.map_err(|_| "its thread has stopped".to_owned())?;
        let result = answered.await.map_err(|_| "its thread has stopped".to_owned())?;
        result.map_err(|error| error.to_string())
    }
}

fn connect(path: &Path) -> rusqlite::Result<Result<Connection, String>> {
    let connection = Connection::open(path)?;
    let is_new: bool = connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| row.get(0))?;
    if is_new {
        connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        connection.pragma_update(None, "user_version", FORMAT)?;
    } else {
        let pragma = |name| connection.pragma_query_value(None, name, |row| row.get::<_, u32>(0));
        let (application, format) = (pragma("application_id")?, pragma("user_version")?);
        if application != APPLICATION_ID {
            return Ok(Err("it holds no read models of a shop".to_owned()));
        }
        if format > FORMAT {
            return Ok(Err(format!("it has format {format}, this program knows up to {FORMAT}")));
        }
    }
    connection.pragma_update(None, "journal_mode", "WAL")?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "cache_size", -CACHE_KIB)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_FRAMES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
    connection.execute_batch(include_str!("schema.sql"))?;
    Ok(Ok(connection))
}

#[async_trait]
impl ReadModelStore for SqliteReadModels {
    async fn open(&self, models: &[&'static Model]) -> Result<Vec<Position>, ReadModelError> {
        let models = models.to_vec();
        self.run(move |connection| ddl::open(connection, &models)).await.map_err(ReadModelError)
    }

    async fn load(
        &self,
        model: &'static Model,
        keys: Vec<String>,
    ) -> Result<Vec<(String, Vec<u8>)>, ReadModelError> {
        self.run(move |connection| write::load(connection, model, keys)).await.map_err(ReadModelError)
    }

    async fn commit(&self, changes: Vec<ModelChange>) -> Result<(), ReadModelError> {
        self.run(move |connection| write::commit(connection, &changes)).await.map_err(ReadModelError)
    }

    async fn reset(&self, model: &'static Model) -> Result<(), ReadModelError> {
        self.run(move |connection| ddl::reset(connection, model)).await.map_err(ReadModelError)
    }
}

#[async_trait]
impl ProcessStateStore for SqliteReadModels {
    async fn load(&self, process: &'static str) -> Result<ProcessRows, ProcessStateError> {
        self.run(move |connection| process_state::load(connection, process)).await.map_err(ProcessStateError)
    }

    async fn save(
        &self,
        process: &'static str,
        changed: Vec<(String, Option<Vec<u8>>)>,
        checkpoint: Position,
    ) -> Result<(), ProcessStateError> {
        let work = move |connection: &mut Connection| {
            process_state::save(connection, process, &changed, checkpoint)
        };
        self.run(work).await.map_err(ProcessStateError)
    }
}

#[cfg(test)]
mod tests;
