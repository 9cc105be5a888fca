//! Rows in and out: prepared statements, one transaction a batch.

use std::collections::HashMap;
use std::fmt::Write as _;
use std::sync::{LazyLock, Mutex, PoisonError};

use rusqlite::types::{ToSqlOutput, Value as SqlValue, ValueRef};
use rusqlite::{Connection, OptionalExtension, ToSql, Transaction};
use souk_eventsourcing::projector::{Model, ModelChange, RowChange, SumChange, Value};

use crate::ddl::{sum_table, table};

/// The SQL of a model, made once.
#[derive(Clone, Debug)]
struct Sql {
    select: String,
    upsert: String,
    delete: String,
    sums: HashMap<&'static str, (String, String)>,
}

static SQL: LazyLock<Mutex<HashMap<(&'static str, u32), std::sync::Arc<Sql>>>> = LazyLock::new(Mutex::default);

fn sql_of(model: &'static Model) -> std::sync::Arc<Sql> {
    let mut made = SQL.lock().unwrap_or_else(PoisonError::into_inner);
    std::sync::Arc::clone(made.entry((model.name, model.version)).or_insert_with(|| std::sync::Arc::new(make(model))))
}

fn make(model: &'static Model) -> Sql {
    let name = table(model);
    let (mut columns, mut places, mut updates) = (String::new(), String::new(), String::new());
    for (column, place) in model.columns.iter().zip(3..) {
        let _ = write!(columns, ", {}", column.name);
        let _ = write!(places, ", ?{place}");
        let _ = write!(updates, ", {0} = excluded.{0}", column.name);
    }
    let sums = model.sums.iter().map(|sum| {
        let name = sum_table(model, sum.name);
        let (mut columns, mut places, mut updates) = (String::new(), String::new(), String::new());
        for (column, place) in sum.columns.iter().zip(3..) {
            let _ = write!(columns, ", {column}");
            let _ = write!(places, ", ?{place}");
            let _ = write!(updates, ", {column} = {column} + excluded.{column}");
        }
        let add = format!(
            "INSERT INTO {name} (key, contributors{columns}) VALUES (?1, ?2{places}) \
             ON CONFLICT (key) DO UPDATE SET contributors = contributors + excluded.contributors{updates}"
        );
        (sum.name, (add, format!("DELETE FROM {name} WHERE key = ?1 AND contributors = 0")))
    });
    Sql {
        select: format!("SELECT doc FROM {name} WHERE key = ?1"),
        upsert: format!(
            "INSERT INTO {name} (key, doc{columns}) VALUES (?1, ?2{places}) \
             ON CONFLICT (key) DO UPDATE SET doc = excluded.doc{updates}"
        ),
        delete: format!("DELETE FROM {name} WHERE key = ?1"),
        sums: sums.collect(),
    }
}

/// The documents of those rows that are there.
pub(crate) fn load(
    connection: &Connection,
    model: &'static Model,
    keys: Vec<String>,
) -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
    let sql = sql_of(model);
    let mut statement = connection.prepare_cached(&sql.select)?;
    let mut rows = Vec::new();
    for key in keys {
        if let Some(document) = statement.query_row([&key], |row| row.get(0)).optional()? {
            rows.push((key, document));
        }
    }
    Ok(rows)
}

/// Writes all changes in one transaction.
pub(crate) fn commit(connection: &mut Connection, changes: &[ModelChange]) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    for change in changes {
        let sql = sql_of(change.model);
        write_rows(&transaction, &sql, &change.rows)?;
        for sum in &change.sums {
            add_to_sum(&transaction, &sql, sum)?;
        }
        let move_on = "UPDATE checkpoints SET position = ?3 WHERE model = ?1 AND version = ?2";
        let (name, version, position) = (change.model.name, change.model.version, change.checkpoint.0);
        transaction.prepare_cached(move_on)?.execute((name, version, position))?;
    }
    transaction.commit()
}

fn write_rows(transaction: &Transaction<'_>, sql: &Sql, rows: &[RowChange]) -> rusqlite::Result<()> {
    let mut upsert = transaction.prepare_cached(&sql.upsert)?;
    let mut delete = transaction.prepare_cached(&sql.delete)?;
    for row in rows {
        let Some((document, columns)) = &row.content else {
            delete.execute([&row.key])?;
            continue;
        };
        upsert.raw_bind_parameter(1, &row.key)?;
        upsert.raw_bind_parameter(2, document)?;
        for (value, place) in columns.iter().zip(3..) {
            upsert.raw_bind_parameter(place, Parameter(value))?;
        }
        upsert.raw_execute()?;
    }
    Ok(())
}

fn add_to_sum(transaction: &Transaction<'_>, sql: &Sql, change: &SumChange) -> rusqlite::Result<()> {
    let Some((add, clean)) = sql.sums.get(change.sum) else { return Ok(()) };
    let mut statement = transaction.prepare_cached(add)?;
    statement.raw_bind_parameter(1, &change.key)?;
    statement.raw_bind_parameter(2, change.contributors)?;
    for (delta, place) in change.deltas.iter().zip(3..) {
        statement.raw_bind_parameter(place, delta)?;
    }
    statement.raw_execute()?;
    if change.contributors < 0 {
        transaction.prepare_cached(clean)?.execute([&change.key])?;
    }
    Ok(())
}

/// A column's value as SQLite takes it.
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
