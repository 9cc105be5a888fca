//! Rows of process state.

use rusqlite::{Connection, OptionalExtension, TransactionBehavior};
use souk_eventsourcing::Position;
use souk_eventsourcing::process::ProcessRows;

use crate::failure::Failure;

/// All rows of a process.
pub(crate) fn load(connection: &mut Connection, process: &str) -> Result<ProcessRows, Failure> {
    // One transaction, so that the rows are those of the checkpoint.
    let transaction = connection.transaction()?;
    let sql = "SELECT position FROM process_checkpoints WHERE process = ?1";
    let position = transaction.query_row(sql, [process], |row| row.get(0)).optional()?;
    let sql = "SELECT instance, doc FROM process_instances WHERE process = ?1 ORDER BY instance";
    let mut statement = transaction.prepare_cached(sql)?;
    let rows = statement.query_map([process], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let rows = rows.collect::<rusqlite::Result<_>>()?;
    Ok(ProcessRows { rows, checkpoint: position.map_or(Position::START, Position) })
}

/// Writes changed rows and the checkpoint.
pub(crate) fn save(
    connection: &mut Connection,
    process: &str,
    changed: &[(String, Option<Vec<u8>>)],
    checkpoint: Position,
) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    {
        let upsert = "INSERT INTO process_instances (process, instance, doc) VALUES (?1, ?2, ?3) \
                      ON CONFLICT (process, instance) DO UPDATE SET doc = excluded.doc";
        let mut upsert = transaction.prepare_cached(upsert)?;
        let delete = "DELETE FROM process_instances WHERE process = ?1 AND instance = ?2";
        let mut delete = transaction.prepare_cached(delete)?;
        for (instance, document) in changed {
            match document {
                Some(document) => upsert.execute((process, instance, document))?,
                None => delete.execute((process, instance))?,
            };
        }
        let move_on = "INSERT INTO process_checkpoints (process, position) VALUES (?1, ?2) \
                       ON CONFLICT (process) DO UPDATE SET position = excluded.position";
        transaction.prepare_cached(move_on)?.execute((process, checkpoint.0))?;
    }
    Ok(transaction.commit()?)
}
