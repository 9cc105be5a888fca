//! The writer thread. It owns one connection and runs one operation after another.

use std::collections::HashMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::thread::JoinHandle;

use rusqlite::Connection;
use souk_eventsourcing::projector::Build;
use tokio::sync::mpsc;

use crate::statements::ModelStatements;

/// Capacity of the queue. Further senders wait for a free place.
const QUEUE_MAX: usize = 64;

/// An operation for the writer. It sends its own response.
pub(crate) type Work = Box<dyn FnOnce(&mut Writer) + Send>;

/// The connection, and the SQL statements of the builds that were used on it.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) statements: Statements,
}

/// SQL statements of the builds, by the number of the build.
#[derive(Default)]
pub(crate) struct Statements(HashMap<u32, ModelStatements>);

impl Statements {
    pub(crate) fn of(&mut self, build: Build) -> &ModelStatements {
        self.0.entry(build.number).or_insert_with(|| ModelStatements::new(build))
    }

    /// Drops all statements, because some of the builds may no longer exist.
    pub(crate) fn forget(&mut self) {
        self.0.clear();
    }
}

impl Writer {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, statements: Statements::default() }
    }

    /// Starts the thread. It ends when the handle is dropped.
    pub(crate) fn start(mut self) -> std::io::Result<WriterHandle> {
        let (queue, mut waiting) = mpsc::channel::<Work>(QUEUE_MAX);
        let thread = std::thread::Builder::new().name("read-models".to_owned());
        let thread = thread.spawn(move || {
            while let Some(work) = waiting.blocking_recv() {
                // The panic has rolled back the transaction and dropped the sender of the response.
                if catch_unwind(AssertUnwindSafe(|| work(&mut self))).is_err() {
                    tracing::error!("an operation on the read models failed: the writer panicked");
                    self.statements.forget();
                }
            }
        })?;
        Ok(WriterHandle { queue: Some(queue), thread: Some(thread) })
    }
}

/// A handle to the writer thread. When it is dropped, the thread runs the queued operations and then ends.
pub(crate) struct WriterHandle {
    queue: Option<mpsc::Sender<Work>>,
    thread: Option<JoinHandle<()>>,
}

impl WriterHandle {
    /// Queues an operation. Fails if the thread has stopped.
    pub(crate) async fn send(&self, work: Work) -> Result<(), ()> {
        let queue = self.queue.as_ref().ok_or(())?;
        queue.send(work).await.map_err(|_| ())
    }
}

impl Drop for WriterHandle {
    fn drop(&mut self) {
        self.queue = None;
        if let Some(thread) = self.thread.take() {
            // A panic of the thread is already logged.
            let _ = thread.join();
        }
    }
}
