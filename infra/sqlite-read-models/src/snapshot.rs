//! A read-only view of the database at one moment. Another process may write to the database.

use std::path::Path;

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension};
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::{Build, Model, ReadModelError};

use crate::failure::Failure;
use crate::{READ_MODELS_FILE, open};

/// State of a build, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BuildStatus {
    /// Unique number of the build.
    pub number: u32,
    /// Name of the model.
    pub model: String,
    /// Version of the model.
    pub version: u32,
    /// `live`, `next`, `until` or `old`.
    pub state: String,
    /// Position at which an `until` build ends.
    pub until: Option<Position>,
    /// Position of the last event that was applied.
    pub position: Position,
    /// Number of parked entities.
    pub parked: u64,
}

/// A parked entity, for operators.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParkedStatus {
    /// Name of the read model or process.
    pub owner: String,
    /// `key` or `stream`.
    pub kind: String,
    /// Key of the row, or name of the stream.
    pub entity: String,
    /// Stream of the event that can't be applied.
    pub stream: String,
    /// Revision of this event.
    pub revision: u64,
    /// Position of this event.
    pub position: Position,
    /// Reason why the event can't be applied.
    pub error: String,
    /// Time at which the entity was parked.
    pub since: Timestamp,
    /// Number of waiting events, including this event.
    pub waiting: u64,
}

/// The state of the database at the moment when the snapshot was opened. All calls block.
pub struct Snapshot {
    pub(crate) connection: Connection,
}

fn failed(failure: impl Into<Failure>) -> ReadModelError {
    failure.into().into()
}

impl Snapshot {
    /// Opens a snapshot of the read models in a data folder.
    pub fn open(folder: &Path) -> Result<Self, ReadModelError> {
        let path = folder.join(READ_MODELS_FILE);
        if !path.exists() {
            let none = "there are no read models yet: the shop builds them when it starts";
            return Err(ReadModelError::Failed(none.to_owned()));
        }
        let connection = open::for_reading(&path).map_err(failed)?;
        // `SQLite` takes the snapshot at the first read of the transaction.
        connection.query_row("SELECT count(*) FROM meta", [], |_| Ok(())).map_err(failed)?;
        Ok(Self { connection })
    }

    /// Returns all builds except old ones, ordered by model.
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

    /// Returns the parked entities of live builds and processes.
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

    /// Returns number, version and position of the live build of a model.
    pub fn live(&self, model: &'static Model) -> Result<Option<(u32, u32, Position)>, ReadModelError> {
        let sql = "SELECT number, version, position FROM builds WHERE model = ?1 AND state = 'live'";
        let found = self
            .connection
            .query_row(sql, [model.name], |row| Ok((row.get(0)?, row.get(1)?, Position(row.get(2)?))));
        found.optional().map_err(failed)
    }

    /// Returns the versions of the stored rows of a process.
    pub fn process_versions(&self, process: &str) -> Result<Vec<u32>, ReadModelError> {
        let read = || -> rusqlite::Result<Vec<u32>> {
            let sql = "SELECT version FROM process_checkpoints WHERE process = ?1";
            let mut statement = self.connection.prepare(sql)?;
            let rows = statement.query_map([process], |row| row.get(0))?;
            rows.collect()
        };
        read().map_err(failed)
    }

    /// Calls `take` with the key and the JSON document of each row of a build, or only of the row with `key`.
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
