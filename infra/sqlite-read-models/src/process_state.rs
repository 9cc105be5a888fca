//! Rows of process state: one per instance, and one checkpoint per process.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use souk_eventsourcing::Position;
use souk_eventsourcing::process::{ProcessChange, ProcessRows, ProcessShape};

use crate::failure::Failure;
use crate::parking;

/// Reads all rows of a process.
pub(crate) fn load(connection: &mut Connection, process: ProcessShape) -> Result<ProcessRows, Failure> {
    // One transaction, so that the rows match the checkpoint.
    let transaction = connection.transaction()?;
    let checkpoint = checkpoint(&transaction, process)?;
    let shape = (process.name, process.version);
    let sql =
        "SELECT instance, doc FROM process_instances WHERE process = ?1 AND version = ?2 ORDER BY instance";
    let mut statement = transaction.prepare_cached(sql)?;
    let rows = statement.query_map(shape, |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows = rows.collect::<rusqlite::Result<_>>()?;
    let parked = parking::load(&transaction, process.name, process.version)?;
    Ok(ProcessRows { rows, parked, checkpoint })
}

/// Reads the checkpoint of a process: the position of the last event in its rows.
pub(crate) fn checkpoint(connection: &Connection, process: ProcessShape) -> Result<Position, Failure> {
    let sql = "SELECT position FROM process_checkpoints WHERE process = ?1 AND version = ?2";
    let shape = (process.name, process.version);
    let position = connection.query_row(sql, shape, |row| row.get(0)).optional()?;
    Ok(position.map_or(Position::START, Position))
}

/// Writes the changed rows and the checkpoint in one transaction.
pub(crate) fn save(
    connection: &mut Connection,
    process: ProcessShape,
    change: &ProcessChange,
) -> Result<(), Failure> {
    let ProcessShape { name, version } = process;
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let upsert = "INSERT INTO process_instances (process, version, instance, doc) VALUES (?1, ?2, ?3, ?4) \
                      ON CONFLICT (process, version, instance) DO UPDATE SET doc = excluded.doc";
        let mut upsert = transaction.prepare_cached(upsert)?;
        let delete = "DELETE FROM process_instances WHERE process = ?1 AND version = ?2 AND instance = ?3";
        let mut delete = transaction.prepare_cached(delete)?;
        for (instance, document) in &change.rows {
            match document {
                Some(document) => upsert.execute((name, version, instance, document))?,
                None => delete.execute((name, version, instance))?,
            };
        }
        let move_on = "INSERT INTO process_checkpoints (process, version, position) VALUES (?1, ?2, ?3) \
                       ON CONFLICT (process, version) DO UPDATE SET position = excluded.position";
        transaction.prepare_cached(move_on)?.execute((name, version, change.checkpoint.0))?;
    }
    parking::store(&transaction, name, version, &change.parking)?;
    souk_fail_points::reach("process-rows-before-commit");
    Ok(transaction.commit()?)
}

/// Deletes the rows of other versions of a process.
pub(crate) fn forget_others(connection: &mut Connection, process: ProcessShape) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for table in ["process_instances", "process_checkpoints"] {
        let sql = format!("DELETE FROM {table} WHERE process = ?1 AND version <> ?2");
        transaction.execute(&sql, (process.name, process.version))?;
    }
    for table in ["parked", "parked_keys", "parked_events"] {
        let sql = format!("DELETE FROM {table} WHERE owner = ?1 AND build <> ?2");
        transaction.execute(&sql, (process.name, process.version))?;
    }
    Ok(transaction.commit()?)
}
