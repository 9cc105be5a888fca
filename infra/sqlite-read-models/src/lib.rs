//! Read models and process state in a separate `SQLite` database, so that projectors never wait for the log's
//! writer.
//!
//! One writer thread owns one connection. All data in this database can be built again from the log.
//! Therefore commits are atomic but not synced every time, and a damaged file may be deleted. The tables are
//! created from a model's definition, and their names contain its version and the number of the build.
//! Queries use views. A failed operation changes nothing and returns an error, and the thread continues with
//! the next one.

mod builds;
mod compare;
mod ddl;
mod failure;
mod open;
mod parking;
mod process_state;
mod read;
mod snapshot;
mod statements;
mod write;
mod writer;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use async_trait::async_trait;
use jiff::Timestamp;
use souk_eventsourcing::Position;
use souk_eventsourcing::parking::Entity;
use souk_eventsourcing::process::{
    ProcessChange, ProcessRows, ProcessShape, ProcessStateError, ProcessStateStore,
};
use souk_eventsourcing::projector::{
    Build, Model, ModelChange, OpenBuild, Purpose, ReadModelError, ReadModelStore,
};
use tokio::sync::oneshot;
use uuid::Uuid;

pub use compare::{Comparison, DIFFERENCES_SHOWN_MAX, Difference, Pair, compare};
pub use ddl::view_until;
pub use failure::OpenError;
pub use open::Tuning;
pub use snapshot::{BuildStatus, ParkedStatus, Snapshot};

use failure::Failure;
use writer::{Work, Writer, WriterHandle};

/// File name of the database in the data folder.
pub const READ_MODELS_FILE: &str = "read-models.sqlite";

/// The database of read models and process state.
pub struct SqliteReadModels {
    writer: WriterHandle,
    path: PathBuf,
}

impl SqliteReadModels {
    /// Opens the database in a data folder, or creates it. `log` is the lineage of the log that the read
    /// models are made from: the id of its last restore, or its own id. A database of an older format is
    /// deleted and created again. The caller must hold the lock of the folder.
    pub fn open(folder: &Path, log: Uuid, tuning: Tuning) -> Result<Arc<Self>, OpenError> {
        let path = folder.join(READ_MODELS_FILE);
        open::remove_older(&path)?;
        Self::start(path, log, tuning)
    }

    /// Opens the database while another process has it open. Does not delete a database of an older format.
    pub fn open_beside(folder: &Path, log: Uuid) -> Result<Arc<Self>, OpenError> {
        Self::start(folder.join(READ_MODELS_FILE), log, Tuning::SERVING)
    }

    fn start(path: PathBuf, log: Uuid, tuning: Tuning) -> Result<Arc<Self>, OpenError> {
        let writer = Writer::new(open::for_writing(&path, log, tuning)?);
        let writer = writer.start().map_err(|error| OpenError::Unreadable {
            path: path.clone(),
            reason: format!("its writer thread can't be started: {error}"),
        })?;
        Ok(Arc::new(Self { writer, path }))
    }

    /// Path of the database file, for queries.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Runs an operation on the writer thread. It also runs to its end if the caller is cancelled.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, ReadModelError> {
        let (sender, result) = oneshot::channel();
        let work: Work = Box::new(move |writer| {
            // `send` fails only if the caller was cancelled.
            let _ = sender.send(work(writer));
        });
        let stopped =
            || ReadModelError::Failed("the writer thread of the read models has stopped".to_owned());
        self.writer.send(work).await.map_err(|()| stopped())?;
        Ok(result.await.map_err(|_| stopped())??)
    }
}

#[async_trait]
impl ReadModelStore for SqliteReadModels {
    async fn open(&self, models: &[&'static Model]) -> Result<Vec<OpenBuild>, ReadModelError> {
        let models = models.to_vec();
        self.run(move |writer| builds::open(&mut writer.connection, &models)).await
    }

    async fn begin(
        &self,
        model: &'static Model,
        purpose: Purpose,
        now: Timestamp,
    ) -> Result<OpenBuild, ReadModelError> {
        self.run(move |writer| builds::begin(&mut writer.connection, model, purpose, now)).await
    }

    async fn expire(&self, before: Timestamp) -> Result<u32, ReadModelError> {
        self.run(move |writer| builds::expire(&mut writer.connection, before)).await
    }

    async fn next(&self, model: &'static Model) -> Result<Option<OpenBuild>, ReadModelError> {
        self.run(move |writer| builds::next(&mut writer.connection, model)).await
    }

    async fn load(&self, build: Build, keys: Vec<String>) -> Result<Vec<(String, Vec<u8>)>, ReadModelError> {
        self.run(move |writer| write::load(writer, build, keys)).await
    }

    async fn commit(&self, changes: Vec<ModelChange>) -> Result<(), ReadModelError> {
        self.run(move |writer| write::commit(writer, &changes)).await
    }

    async fn switch(&self, builds: Vec<Build>) -> Result<(), ReadModelError> {
        self.run(move |writer| builds::switch(&mut writer.connection, &builds)).await
    }

    async fn abandon(&self, build: Build) -> Result<(), ReadModelError> {
        let abandon = move |writer: &mut Writer| builds::abandon(&mut writer.connection, build.number);
        self.run(abandon).await
    }

    async fn tidy(&self, rows: u32) -> Result<bool, ReadModelError> {
        let tidy = move |writer: &mut Writer| {
            writer.statements.forget();
            builds::tidy(&mut writer.connection, rows)
        };
        self.run(tidy).await
    }

    async fn waiting(&self, build: Build, entity: Entity) -> Result<Vec<Position>, ReadModelError> {
        let waiting = move |writer: &mut Writer| {
            parking::waiting(&writer.connection, build.model.name, build.number, &entity)
        };
        self.run(waiting).await
    }
}

#[async_trait]
impl ProcessStateStore for SqliteReadModels {
    async fn load(&self, process: ProcessShape) -> Result<ProcessRows, ProcessStateError> {
        let load = move |writer: &mut Writer| process_state::load(&mut writer.connection, process);
        self.run(load).await.map_err(|error| ProcessStateError(error.to_string()))
    }

    async fn checkpoint(&self, process: ProcessShape) -> Result<Position, ProcessStateError> {
        let checkpoint = move |writer: &mut Writer| process_state::checkpoint(&writer.connection, process);
        self.run(checkpoint).await.map_err(|error| ProcessStateError(error.to_string()))
    }

    async fn save(&self, process: ProcessShape, change: ProcessChange) -> Result<(), ProcessStateError> {
        let save = move |writer: &mut Writer| process_state::save(&mut writer.connection, process, &change);
        self.run(save).await.map_err(|error| ProcessStateError(error.to_string()))
    }

    async fn forget_others(&self, process: ProcessShape) -> Result<(), ProcessStateError> {
        let forget = move |writer: &mut Writer| process_state::forget_others(&mut writer.connection, process);
        self.run(forget).await.map_err(|error| ProcessStateError(error.to_string()))
    }

    async fn waiting(
        &self,
        process: ProcessShape,
        entity: Entity,
    ) -> Result<Vec<Position>, ProcessStateError> {
        let waiting = move |writer: &mut Writer| {
            parking::waiting(&writer.connection, process.name, process.version, &entity)
        };
        self.run(waiting).await.map_err(|error| ProcessStateError(error.to_string()))
    }
}

#[cfg(test)]
mod tests;
