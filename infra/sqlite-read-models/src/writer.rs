//! The writer's thread: one connection, one piece of work after another.

use std::collections::HashMap;

use rusqlite::Connection;
use souk_eventsourcing::projector::Build;
use tokio::sync::mpsc;

use crate::statements::ModelStatements;

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

    /// Works until nobody can ask for anything any more.
    pub(crate) fn start(mut self, mut waiting: mpsc::Receiver<Work>) -> std::io::Result<()> {
        let thread = std::thread::Builder::new().name("read-models".to_owned());
        let spawned = thread.spawn(move || {
            while let Some(work) = waiting.blocking_recv() {
                work(&mut self);
            }
        });
        spawned.map(drop)
    }
}
