//! Parked entities of read models and processes. The column `build` has the number of the build for a read
//! model, and the version of the rows for a process.

use jiff::Timestamp;
use rusqlite::{Connection, Transaction};
use souk_eventsourcing::parking::{ApplyFailure, Entity, Parked, ParkingChange};
use souk_eventsourcing::{Position, Revision, StreamName};

use crate::failure::Failure;

/// Reads the parked entities of a read model or process.
pub(crate) fn load(connection: &Connection, owner: &str, build: u32) -> Result<Vec<Parked>, Failure> {
    let sql = "SELECT kind, entity, stream, revision, position, error, since_us, can_skip FROM parked \
               WHERE owner = ?1 AND build = ?2 ORDER BY position, kind, entity";
    let mut statement = connection.prepare_cached(sql)?;
    let mut keys = connection.prepare_cached(
        "SELECT key FROM parked_keys WHERE owner = ?1 AND build = ?2 AND kind = ?3 AND entity = ?4",
    )?;
    let mut rows = statement.query((owner, build))?;
    let mut found = Vec::new();
    while let Some(row) = rows.next()? {
        let kind: String = row.get(0)?;
        let name: String = row.get(1)?;
        let keys = keys.query_map((owner, build, &kind, &name), |row| row.get(0))?;
        let malformed = |what: &str| Failure::Malformed(format!("parked {kind} `{name}`: {what}"));
        let entity = match kind.as_str() {
            "key" => Entity::Key(name.clone()),
            _ => Entity::Stream(
                StreamName::parse(&name)
                    .map_err(|_| malformed("its name is not a valid name of a stream"))?,
            ),
        };
        let stream: String = row.get(2)?;
        let failure = ApplyFailure {
            entity,
            stream: StreamName::parse(&stream)
                .map_err(|_| malformed("its column `stream` is not a valid name of a stream"))?,
            revision: Revision(row.get(3)?),
            position: Position(row.get(4)?),
            reason: row.get(5)?,
            can_be_skipped: row.get(7)?,
        };
        let since = Timestamp::from_microsecond(row.get(6)?)
            .map_err(|_| malformed("its column `since_us` is not a valid time"))?;
        found.push(Parked { failure, keys: keys.collect::<rusqlite::Result<_>>()?, since });
    }
    Ok(found)
}

/// Stores a change of parked entities and waiting events.
pub(crate) fn store(
    transaction: &Transaction<'_>,
    owner: &str,
    build: u32,
    change: &ParkingChange,
) -> Result<(), Failure> {
    if change.is_empty() {
        return Ok(());
    }
    for Parked { failure, .. } in &change.released {
        let entity = (owner, build, failure.entity.kind(), failure.entity.name());
        for table in ["parked", "parked_keys", "parked_events"] {
            let sql =
                format!("DELETE FROM {table} WHERE owner = ?1 AND build = ?2 AND kind = ?3 AND entity = ?4");
            transaction.prepare_cached(&sql)?.execute(entity)?;
        }
    }
    for Parked { failure, keys, since } in &change.parked {
        let kind = failure.entity.kind();
        let name = failure.entity.name();
        let sql = "INSERT OR REPLACE INTO parked VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10)";
        let mut insert = transaction.prepare_cached(sql)?;
        insert.execute((
            owner,
            build,
            kind,
            name,
            failure.stream.as_str(),
            failure.revision.0,
            failure.position.0,
            &failure.reason,
            since.as_microsecond(),
            failure.can_be_skipped,
        ))?;
        let sql = "INSERT OR IGNORE INTO parked_keys VALUES (?1, ?2, ?3, ?4, ?5)";
        let mut insert = transaction.prepare_cached(sql)?;
        for key in keys {
            insert.execute((owner, build, kind, name, key))?;
        }
    }
    let sql = "INSERT OR IGNORE INTO parked_events VALUES (?1, ?2, ?3, ?4, ?5)";
    let mut insert = transaction.prepare_cached(sql)?;
    for (entity, position) in &change.waiting {
        insert.execute((owner, build, entity.kind(), entity.name(), position.0))?;
    }
    Ok(())
}

/// Deletes all parked entities and waiting events of a build.
pub(crate) fn forget(transaction: &Transaction<'_>, owner: &str, build: u32) -> rusqlite::Result<()> {
    for table in ["parked", "parked_keys", "parked_events"] {
        let sql = format!("DELETE FROM {table} WHERE owner = ?1 AND build = ?2");
        transaction.execute(&sql, (owner, build))?;
    }
    Ok(())
}

/// Returns the positions of the events that wait for a parked entity.
pub(crate) fn waiting(
    connection: &Connection,
    owner: &str,
    build: u32,
    entity: &Entity,
) -> Result<Vec<Position>, Failure> {
    let sql = "SELECT position FROM parked_events \
               WHERE owner = ?1 AND build = ?2 AND kind = ?3 AND entity = ?4 ORDER BY position";
    let mut statement = connection.prepare_cached(sql)?;
    let rows =
        statement.query_map((owner, build, entity.kind(), entity.name()), |row| row.get(0).map(Position))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}
