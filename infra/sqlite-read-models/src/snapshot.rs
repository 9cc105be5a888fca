//! The database as it is at one moment, read beside whoever writes to it.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::{Build, Model, ReadModelError};

use crate::failure::Failure;
use crate::{READ_MODELS_FILE, open};

/// A build as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildStatus {
    /// Tells it from other builds.
    pub number: u32,
    /// The model.
    pub model: String,
    /// The version of its shape.
    pub version: u32,
    /// `live`, `next`, `until` or `old`.
    pub state: String,
    /// The position it is to stay at.
    pub until: Option<Position>,
    /// How far it is.
    pub position: Position,
    /// Entities that are parked in it.
    pub parked: u64,
}

/// What is parked, as operators see it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedStatus {
    /// The read model or process.
    pub owner: String,
    /// `key` or `stream`.
    pub kind: String,
    /// The key or the stream's name.
    pub entity: String,
    /// The event it is parked from.
    pub stream: String,
    /// The event's revision.
    pub revision: u64,
    /// The event's position.
    pub position: Position,
    /// Why.
    pub error: String,
    /// Since when.
    pub since: Timestamp,
    /// Events that wait, that one included.
    pub waiting: u64,
}

/// The database as of the moment this was opened. Its calls block.
pub struct Snapshot {
    pub(crate) connection: Connection,
}

fn failed(failure: impl Into<Failure>) -> ReadModelError {
    failure.into().into()
}

impl Snapshot {
    /// Opens the read models in a folder.
    pub fn open(folder: &Path) -> Result<Self, ReadModelError> {
        let path = folder.join(READ_MODELS_FILE);
        if !path.exists() {
            let none = "there are no read models yet: the shop makes them when it starts";
            return Err(ReadModelError::Failed(none.to_owned()));
        }
        let connection = open::for_reading(&path).map_err(failed)?;
        // The transaction begins with its first read.
        connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(())).map_err(failed)?;
        Ok(Self { connection })
    }

    /// All builds that are not being removed, by model.
    pub fn builds(&self) -> Result<Vec<BuildStatus>, ReadModelError> {
        let sql = "SELECT number, model, version, state, until, position, \
                   (SELECT count(*) FROM parked WHERE owner = model AND build = number) \
                   FROM builds WHERE state <> 'old' ORDER BY model, state, number";
        let read = || -> rusqlite::Result<Vec<BuildStatus>> {
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(BuildStatus {
                    number: row.get(0)?,
                    model: row.get(1)?,
                    version: row.get(2)?,
                    state: row.get(3)?,
                    until: row.get::<_, Option<u64>>(4)?.map(Position),
                    position: Position(row.get(5)?),
                    parked: row.get(6)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(failed)
    }

    /// What is parked in live builds and processes.
    pub fn parked(&self) -> Result<Vec<ParkedStatus>, ReadModelError> {
        let read = || -> rusqlite::Result<Vec<ParkedStatus>> {
            let sql = "SELECT owner, kind, entity, stream, revision, position, error, since_us, events \
                       FROM parked_now ORDER BY owner, kind, entity";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([], |row| {
                Ok(ParkedStatus {
                    owner: row.get(0)?,
                    kind: row.get(1)?,
                    entity: row.get(2)?,
                    stream: row.get(3)?,
                    revision: row.get(4)?,
                    position: Position(row.get(5)?),
                    error: row.get(6)?,
                    since: Timestamp::from_microsecond(row.get(7)?).unwrap_or_default(),
                    waiting: row.get(8)?,
                })
            })?;
            rows.collect()
        };
        read().map_err(failed)
    }

    /// The live build of a model, of whatever version, with that version.
    pub fn live(&self, model: &'static Model) -> Result<Option<(u32, u32, Position)>, ReadModelError> {
        let sql = "SELECT number, version, position FROM builds WHERE model = ?1 AND state = 'live'";
        let found = self
            .connection
            .query_row(sql, [model.name], |row| Ok((row.get(0)?, row.get(1)?, Position(row.get(2)?))));
        found.optional().map_err(failed)
    }

    /// The versions of a process's rows that are stored.
    pub fn process_versions(&self, process: &str) -> Result<Vec<u32>, ReadModelError> {
        let read = || -> rusqlite::Result<Vec<u32>> {
            let sql = "SELECT version FROM process_checkpoints WHERE process = ?1";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([process], |row| row.get(0))?;
            rows.collect()
        };
        read().map_err(failed)
    }

    /// The rows of a build as JSON documents, from a key on.
    pub fn documents(
        &self,
        build: Build,
        key: Option<&str>,
        take: &mut dyn FnMut(&str, &[u8]),
    ) -> Result<(), ReadModelError> {
        let table = crate::ddl::row_table(build).quoted_name;
        let sql = format!("SELECT key, doc FROM {table} WHERE ?1 IS NULL OR key = ?1 ORDER BY key");
        let mut read = || -> rusqlite::Result<()> {
            let mut statement = self.connection.prepare(&sql)?;
            let mut rows = statement.query([key])?;
            while let Some(row) = rows.next()? {
                take(row.get_ref(0)?.as_str()?, row.get_ref(1)?.as_blob()?);
            }
            Ok(())
        };
        read().map_err(failed)
    }
}
