//! Tables, indexes and views from a model's shape.
//!
//! A model's rows are in `name_vVERSION`, its sums in `sum_vVERSION`; the views `name` and `sum` are what
//! queries use. All of a call happens in one transaction: a query sees the old version or the new.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::{ColumnType, Model, Sum};

use crate::failure::Failure;

/// A table of a model: what stands in it after the key.
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) view: &'static str,
    pub(crate) quoted_name: String,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) quoted_columns: Vec<String>,
}

impl Table {
    fn new(view: &'static str, version: u32, columns: Vec<&'static str>) -> Self {
        let name = format!("{view}_v{version}");
        let quoted_columns = columns.iter().map(|column| quoted(column)).collect();
        Self { quoted_name: quoted(&name), name, view, columns, quoted_columns }
    }
}

fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// The table of a model's rows.
pub(crate) fn row_table(model: &Model) -> Table {
    let columns = model.columns.iter().map(|column| column.name);
    Table::new(model.name, model.version, std::iter::once("doc").chain(columns).collect())
}

/// The table of a sum of a model.
pub(crate) fn table_of_sum(model: &Model, sum: &Sum) -> Table {
    let columns = std::iter::once("contributors").chain(sum.columns.iter().copied());
    Table::new(sum.name, model.version, columns.collect())
}

/// Makes what is missing, points the views at these versions, drops others, and tells checkpoints.
pub(crate) fn open(connection: &mut Connection, models: &[&'static Model]) -> Result<Vec<Position>, Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let mut found = Vec::with_capacity(models.len());
    for model in models {
        let sql = "SELECT position FROM checkpoints WHERE model = ?1 AND version = ?2";
        let position =
            transaction.query_row(sql, (model.name, model.version), |row| row.get(0)).optional()?;
        found.push(position.map(Position));
    }
    // First everything goes that has to: a name may pass from one model to another.
    for (model, _) in models.iter().zip(&found).filter(|(_, found)| found.is_none()) {
        drop_model(&transaction, model)?;
    }
    for (model, _) in models.iter().zip(&found).filter(|(_, found)| found.is_none()) {
        create(&transaction, model)?;
    }
    transaction.commit()?;
    Ok(found.into_iter().map(|position| position.unwrap_or(Position::START)).collect())
}

fn drop_model(transaction: &Transaction<'_>, model: &Model) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare("SELECT name, view_name FROM model_tables WHERE model = ?1")?;
    let names = statement.query_map([model.name], |row| Ok((row.get(0)?, row.get(1)?)))?;
    for (table, view) in names.collect::<rusqlite::Result<Vec<(String, String)>>>()? {
        let (table, view) = (quoted(&table), quoted(&view));
        transaction.execute_batch(&format!("DROP VIEW {view}; DROP TABLE {table};"))?;
    }
    transaction.execute("DELETE FROM model_tables WHERE model = ?1", [model.name])?;
    transaction.execute("DELETE FROM checkpoints WHERE model = ?1", [model.name])?;
    Ok(())
}

fn create(transaction: &Transaction<'_>, model: &Model) -> rusqlite::Result<()> {
    let rows = row_table(model);
    transaction.execute_batch(&row_script(model, &rows))?;
    remember(transaction, model, &rows)?;
    for sum in model.sums {
        let table = table_of_sum(model, sum);
        transaction.execute_batch(&sum_script(&table))?;
        remember(transaction, model, &table)?;
    }
    let sql = "INSERT INTO checkpoints (model, version, position) VALUES (?1, ?2, 0)";
    transaction.execute(sql, (model.name, model.version)).map(drop)
}

fn remember(transaction: &Transaction<'_>, model: &Model, table: &Table) -> rusqlite::Result<()> {
    let sql = "INSERT INTO model_tables (name, view_name, model) VALUES (?1, ?2, ?3)";
    transaction.execute(sql, (&table.name, table.view, model.name)).map(drop)
}

/// The table keeps its rowid: documents inside the key's own tree make it deep. Measured with documents
/// of 300 and 3,000 bytes, `WITHOUT ROWID` wrote at about half and a third of the speed.
fn row_script(model: &Model, table: &Table) -> String {
    let name = &table.quoted_name;
    let mut script = format!("CREATE TABLE {name} (key TEXT PRIMARY KEY, doc BLOB NOT NULL");
    for column in model.columns {
        let kind = match column.column_type {
            ColumnType::Text => "TEXT",
            ColumnType::Integer => "INTEGER",
        };
        let _ = write!(script, ", {} {kind}", quoted(column.name));
    }
    script.push_str(") STRICT;");
    for (number, columns) in model.indexes.iter().enumerate() {
        let index = quoted(&format!("{}_{number}", table.name));
        let _ = write!(script, "CREATE INDEX {index} ON {name} ({columns});");
    }
    script + &view_script(table)
}

fn sum_script(table: &Table) -> String {
    let mut script = format!("CREATE TABLE {} (key TEXT PRIMARY KEY", table.quoted_name);
    for column in &table.quoted_columns {
        let _ = write!(script, ", {column} INTEGER NOT NULL");
    }
    script.push_str(") STRICT, WITHOUT ROWID;");
    script + &view_script(table)
}

fn view_script(table: &Table) -> String {
    format!("CREATE VIEW {} AS SELECT * FROM {};", quoted(table.view), table.quoted_name)
}

/// Empties a model.
pub(crate) fn reset(connection: &mut Connection, model: &'static Model) -> Result<(), Failure> {
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
    let sums = model.sums.iter().map(|sum| table_of_sum(model, sum));
    for table in std::iter::once(row_table(model)).chain(sums) {
        transaction.execute(&format!("DELETE FROM {}", table.quoted_name), [])?;
    }
    move_checkpoint(&transaction, model, Position::START)?;
    Ok(transaction.commit()?)
}

/// Sets how far an opened model is.
pub(crate) fn move_checkpoint(
    transaction: &Transaction<'_>,
    model: &'static Model,
    to: Position,
) -> Result<(), Failure> {
    let sql = "UPDATE checkpoints SET position = ?3 WHERE model = ?1 AND version = ?2";
    let moved = transaction.prepare_cached(sql)?.execute((model.name, model.version, to.0))?;
    let not_opened = Failure::NotOpened { model: model.name, version: model.version };
    if moved == 1 { Ok(()) } else { Err(not_opened) }
}
