//! The writer's thread: one connection, one piece of work after another.

use std::collections::HashMap;

use rusqlite::Connection;
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::Model;
use tokio::sync::mpsc;

use crate::ddl;
use crate::failure::Failure;
use crate::statements::ModelStatements;

/// Something for the writer to do; it answers by itself.
pub(crate) type Work = Box<dyn FnOnce(&mut Writer) + Send>;

/// The connection, and the SQL of the models that were opened on it.
pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) statements: Opened,
}

/// The SQL of each opened model, by name and version.
#[derive(Default)]
pub(crate) struct Opened(HashMap<(&'static str, u32), ModelStatements>);

impl Opened {
    pub(crate) fn of(&self, model: &'static Model) -> Result<&ModelStatements, Failure> {
        let not_opened = || Failure::NotOpened { model: model.name, version: model.version };
        self.0.get(&(model.name, model.version)).ok_or_else(not_opened)
    }
}

impl Writer {
    pub(crate) fn new(connection: Connection) -> Self {
        Self { connection, statements: Opened::default() }
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

    /// Opens models: their tables are made, those of their other versions dropped.
    pub(crate) fn open(&mut self, models: &[&'static Model]) -> Result<Vec<Position>, Failure> {
        let checkpoints = ddl::open(&mut self.connection, models)?;
        for model in models {
            self.statements.0.retain(|(name, _), _| *name != model.name);
        }
        let made = models.iter().map(|model| ((model.name, model.version), ModelStatements::new(model)));
        self.statements.0.extend(made);
        Ok(checkpoints)
    }
}
