//! Read models and process state in `SQLite`, in a database of their own, so that projectors never wait
//! for the log's writer.
//!
//! One writer thread with one connection. Everything here can be built again from the log: commits are
//! atomic, but synced only now and then, and a damaged file is thrown away. Tables are made from a
//! model's shape and named with its version; queries name views. Work that fails leaves nothing behind
//! and says so to whoever asked; the thread goes on with the next.

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

/// The database's file in its folder.
pub const READ_MODELS_FILE: &str = "read-models.sqlite";

/// The database.
pub struct SqliteReadModels {
    writer: WriterHandle,
    path: PathBuf,
}

impl SqliteReadModels {
    /// Opens the database in a folder, or makes it, for read models of the log with this id. One of an
    /// earlier program's format is made anew. The caller holds the folder.
    pub fn open(folder: &Path, log: Uuid, tuning: Tuning) -> Result<Arc<Self>, OpenError> {
        let path = folder.join(READ_MODELS_FILE);
        open::remove_older(&path)?;
        Self::start(path, log, tuning)
    }

    /// Opens the database beside another program that has it open.
    pub fn open_beside(folder: &Path, log: Uuid) -> Result<Arc<Self>, OpenError> {
        Self::start(folder.join(READ_MODELS_FILE), log, Tuning::SERVING)
    }

    fn start(path: PathBuf, log: Uuid, tuning: Tuning) -> Result<Arc<Self>, OpenError> {
        let writer = Writer::new(open::for_writing(&path, log, tuning)?);
        let writer = writer.start().map_err(|error| OpenError::Unreadable {
            path: path.clone(),
            reason: format!("no thread for its writer: {error}"),
        })?;
        Ok(Arc::new(Self { writer, path }))
    }

    /// Its file, for those who query.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Has the writer do something. It is done even when the caller goes away meanwhile.
    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Writer) -> Result<T, Failure> + Send + 'static,
    ) -> Result<T, ReadModelError> {
        let (answer, answered) = oneshot::channel();
        let work: Work = Box::new(move |writer| {
            // Whoever asked may have gone away.
            let _ = answer.send(work(writer));
        });
        let stopped = || ReadModelError::Failed("its thread has stopped".to_owned());
        self.writer.send(work).await.map_err(|()| stopped())?;
        Ok(answered.await.map_err(|_| stopped())??)
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
