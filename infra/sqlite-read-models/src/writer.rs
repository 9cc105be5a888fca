//! The writer's thread: one connection, one piece of work after another.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use rusqlite::Connection;
use souk_eventsourcing::projector::Build;
use tokio::sync::mpsc;

use crate::statements::ModelStatements;

/// Pieces of work that may wait for the writer; more wait to be queued.
const QUEUE_MAX: usize = 64;

/// Something for the writer to do; it answers by itself.
pub(crate) type Work = Box<dyn FnOnce(&mut Writer) + Send>;

/// The connection, and the SQL of the builds that were used on it.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) statements: Statements,
}

/// The SQL of each build that was used, by its number.
#[derive(Default)]
pub(crate) struct Statements(HashMap<u32, ModelStatements>);

impl Statements {
    pub(crate) fn of(&mut self, build: Build) -> &ModelStatements {
        self.0.entry(build.number).or_insert_with(|| ModelStatements::new(build))
    }

    /// Builds that are no longer there are used no more.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

impl Writer {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, statements: Statements::default() }
    }

    /// Works on a thread of its own until nobody can ask for anything any more.
    pub(crate) fn start(mut self) -> std::io::Result<WriterHandle> {
        let (queue, mut waiting) = mpsc::channel::<Work>(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("read-models".to_owned());
        let thread = thread.spawn(move || {
            while let Some(work) = waiting.blocking_recv() {
                // The panic has rolled its transaction back; the answer it owed is dropped.
                if catch_unwind(AssertUnwindSafe(|| work(&mut self))).is_err() {
                    tracing::error!("work on the read models was not done: a panic");
                    self.statements.forget();
                }
            }
        })?;
        Ok(WriterHandle { queue: Some(queue), thread: Some(thread) })
    }
}

/// The way to the writer; dropping it ends the thread, after what waits.
pub(crate) struct WriterHandle {
    queue: Option<mpsc::Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterHandle {
    /// Fails when the thread has stopped.
    pub(crate) async fn send(&self, work: Work) -> Result<(), ()> {
        let queue = self.queue.as_ref().ok_or(())?;
        queue.send(work).await.map_err(|_| ())
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A writer that panicked has said so; there is nothing to add while dropping.
            let _ = thread.join();
        }
    }
}
