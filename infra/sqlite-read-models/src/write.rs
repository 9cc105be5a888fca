//! Reads and writes of rows: prepared statements, and one transaction per batch.
//!
//! One statement per row is faster here than one statement for many rows: there is no network, and a prepared
//! statement binds the values without copying or encoding them.

use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{OptionalExtension, ToSql, Transaction, TransactionBehavior};
use souk_eventsourcing::projector::{Build, Model, ModelChange, RowChange, SumChange, Value};

use crate::builds::move_checkpoint;
use crate::failure::Failure;
use crate::parking;
use crate::statements::ModelStatements;
use crate::writer::Writer;

/// Reads the documents of the rows that exist.
pub(crate) fn load(
    writer: &mut Writer,
    build: Build,
    keys: Vec<String>,
) -> Result<Vec<(String, Vec<u8>)>, Failure> {
    let sql = writer.statements.of(build);
    // One transaction. Otherwise every read would lock and unlock the file.
    let transaction = writer.connection.transaction()?;
    let mut statement = transaction.prepare_cached(&sql.select)?;
    let mut rows = Vec::with_capacity(keys.len());
    for key in keys {
        if let Some(document) = statement.query_row([&key], |row| row.get(0)).optional()? {
            rows.push((key, document));
        }
    }
    Ok(rows)
}

/// Writes all changes in one transaction.
pub(crate) fn commit(writer: &mut Writer, changes: &[ModelChange]) -> Result<(), Failure> {
    let transaction = writer.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    for change in changes {
        // First, because it fails if the build does not exist.
        move_checkpoint(&transaction, change.build, change.from, change.checkpoint)?;
        let model = change.build.model;
        let sql = writer.statements.of(change.build);
        write_rows(&transaction, model, sql, &change.rows)?;
        for sum in &change.sums {
            add_to_sum(&transaction, model, sql, sum)?;
        }
        parking::store(&transaction, model.name, change.build.number, &change.parking)?;
    }
    souk_fail_points::reach("read-models-before-commit");
    transaction.commit()?;
    souk_fail_points::reach("read-models-after-commit");
    Ok(())
}

fn write_rows(
    transaction: &Transaction<'_>,
    model: &'static Model,
    sql: &ModelStatements,
    rows: &[RowChange],
) -> Result<(), Failure> {
    let mut upsert = transaction.prepare_cached(&sql.upsert)?;
    let mut delete = transaction.prepare_cached(&sql.delete)?;
    for row in rows {
        let Some((document, values)) = &row.content else {
            delete.execute([&row.key])?;
            continue;
        };
        check_values(model.name, &row.key, values.len(), sql.columns)?;
        upsert.raw_bind_parameter(1, &row.key)?;
        upsert.raw_bind_parameter(2, document)?;
        for (value, place) in values.iter().zip(3..) {
            upsert.raw_bind_parameter(place, Parameter(value))?;
        }
        upsert.raw_execute()?;
    }
    Ok(())
}

fn add_to_sum(
    transaction: &Transaction<'_>,
    model: &'static Model,
    sql: &ModelStatements,
    change: &SumChange,
) -> Result<(), Failure> {
    let sum = sql.sum(change.sum).ok_or_else(|| Failure::no_such_sum(model, change.sum))?;
    check_values(sum.name, &change.key, change.deltas.len(), sum.columns)?;
    let mut add = transaction.prepare_cached(&sum.add)?;
    add.raw_bind_parameter(1, &change.key)?;
    add.raw_bind_parameter(2, change.contributors)?;
    for (delta, place) in change.deltas.iter().zip(3..) {
        add.raw_bind_parameter(place, delta)?;
    }
    add.raw_execute()?;
    if change.contributors < 0 {
        transaction.prepare_cached(&sum.remove)?.execute([&change.key])?;
    }
    Ok(())
}

/// Checks the number of values. A prepared statement keeps the values of the previous row, so a missing value
/// would silently become the previous row's value.
fn check_values(table: &'static str, key: &str, actual: usize, expected: usize) -> Result<(), Failure> {
    let failure = || Failure::Values { table, key: key.to_owned(), actual, expected };
    if actual == expected { Ok(()) } else { Err(failure()) }
}

/// A column's value, in the form that `SQLite` binds.
struct Parameter<'a>(&'a Value);

impl ToSql for Parameter<'_> {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self.0 {
            Value::Null => ToSqlOutput::Owned(SqlValue::Null),
            Value::Text(text) => ToSqlOutput::Borrowed(ValueRef::Text(text.as_bytes())),
            Value::Integer(number) => ToSqlOutput::Owned(SqlValue::Integer(*number)),
        })
    }
}
