//! SQL that creates tables, indexes and views from the definition of a model.
//!
//! The rows of a build are in the table `MODEL_vVERSION_NUMBER`, its sums in `SUM_vVERSION_NUMBER`. Queries
//! use the views `MODEL` and `SUM`, which show the live build. The views `MODEL_until_POSITION` and
//! `SUM_until_POSITION` show a build that contains the events up to this position and no later ones.

use std::fmt::Write as _;

use rusqlite::Transaction;
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::{Build, ColumnType, Model, Sum};

/// A table of a build. `columns` are the columns after the key.
pub(crate) struct Table {
    pub(crate) name: String,
    pub(crate) view: &'static str,
    pub(crate) quoted_name: String,
    pub(crate) columns: Vec<&'static str>,
    pub(crate) quoted_columns: Vec<String>,
}

impl Table {
    fn new(view: &'static str, build: Build, columns: Vec<&'static str>) -> Self {
        let name = table_name(view, build.model.version, build.number);
        let quoted_columns = columns.iter().map(|column| quoted(column)).collect();
        Self { quoted_name: quoted(&name), name, view, columns, quoted_columns }
    }
}

/// Returns the name of a table of a build.
pub(crate) fn table_name(view: &str, version: u32, number: u32) -> String {
    format!("{view}_v{version}_{number}")
}

pub(crate) fn quoted(name: &str) -> String {
    format!("\"{}\"", name.replace('"', "\"\""))
}

/// Returns the table of a build's rows.
pub(crate) fn row_table(build: Build) -> Table {
    let columns = build.model.columns.iter().map(|column| column.name);
    Table::new(build.model.name, build, std::iter::once("doc").chain(columns).collect())
}

/// Returns the table of a sum of a build.
pub(crate) fn table_of_sum(build: Build, sum: &Sum) -> Table {
    let columns = std::iter::once("contributors").chain(sum.columns.iter().copied());
    Table::new(sum.name, build, columns.collect())
}

/// Returns the tables of a build. The table of its rows is the first one.
pub(crate) fn tables(build: Build) -> Vec<Table> {
    let sums = build.model.sums.iter().map(|sum| table_of_sum(build, sum));
    std::iter::once(row_table(build)).chain(sums).collect()
}

/// Creates the tables of a build. If the build ends at the position `until`, also creates its views.
pub(crate) fn create(
    transaction: &Transaction<'_>,
    build: Build,
    until: Option<Position>,
) -> rusqlite::Result<()> {
    let rows = row_table(build);
    transaction.execute_batch(&row_script(build.model, &rows))?;
    for sum in build.model.sums {
        transaction.execute_batch(&sum_script(&table_of_sum(build, sum)))?;
    }
    for table in tables(build) {
        let view = until.map_or(table.view.to_owned(), |position| view_until(table.view, position));
        let sql = "INSERT INTO build_tables (name, view_name, build) VALUES (?1, ?2, ?3)";
        transaction.execute(sql, (&table.name, &view, build.number))?;
        if until.is_some() {
            transaction.execute_batch(&view_script(&view, &table.name))?;
        }
    }
    Ok(())
}

/// Returns the name of a view of a build that ends at a position.
pub fn view_until(view: &str, position: Position) -> String {
    format!("{view}_until_{position}")
}

/// Returns the SQL that creates a table of rows and its indexes. The table is not `WITHOUT ROWID`, because
/// documents in the tree of the keys would make this tree deep. In a measurement, `WITHOUT ROWID` had about
/// half the write speed with documents of 300 bytes, and a third of it with 3,000 bytes.
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
    script
}

fn sum_script(table: &Table) -> String {
    let mut script = format!("CREATE TABLE {} (key TEXT PRIMARY KEY", table.quoted_name);
    for column in &table.quoted_columns {
        let _ = write!(script, ", {column} INTEGER NOT NULL");
    }
    script.push_str(") STRICT, WITHOUT ROWID;");
    script
}

/// Returns the SQL that creates a view of a table.
pub(crate) fn view_script(view: &str, table: &str) -> String {
    format!("CREATE VIEW {} AS SELECT * FROM {};", quoted(view), quoted(table))
}
