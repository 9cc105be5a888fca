//! Tables, indexes and views from a model's shape.

use std::fmt::Write as _;

use rusqlite::{Connection, OptionalExtension, Transaction};
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::{ColumnType, Model, Sum};

/// The table of a model's version.
pub(crate) fn table(model: &Model) -> String {
    format!("{}_v{}", model.name, model.version)
}

/// The table of a sum of a model's version.
pub(crate) fn sum_table(model: &Model, sum: &str) -> String {
    format!("{sum}_v{}", model.version)
}

/// Makes what is missing, points the views at these versions, drops older ones, and tells checkpoints.
pub(crate) fn open(connection: &mut Connection, models: &[&'static Model]) -> rusqlite::Result<Vec<Position>> {
    let transaction = connection.transaction()?;
    let mut checkpoints = Vec::with_capacity(models.len());
    for model in models {
        checkpoints.push(open_model(&transaction, model)?);
    }
    transaction.commit()?;
    Ok(checkpoints)
}

fn open_model(transaction: &Transaction<'_>, model: &Model) -> rusqlite::Result<Position> {
    let sql = "SELECT position FROM checkpoints WHERE model = ?1 AND version = ?2";
    let found = transaction.query_row(sql, (model.name, model.version), |row| row.get(0)).optional()?;
    if let Some(position) = found {
        return Ok(Position(position));
    }
    drop_other_versions(transaction, model)?;
    transaction.execute_batch(&create(model))?;
    let sql = "INSERT INTO checkpoints (model, version, position) VALUES (?1, ?2, 0)";
    transaction.execute(sql, (model.name, model.version))?;
    Ok(Position::START)
}

fn drop_other_versions(transaction: &Transaction<'_>, model: &Model) -> rusqlite::Result<()> {
    let mut statement = transaction.prepare("SELECT version FROM checkpoints WHERE model = ?1")?;
    let versions: Vec<u32> = statement.query_map([model.name], |row| row.get(0))?.collect::<Result<_, _>>()?;
    for version in versions {
        let mut script = format!("DROP VIEW IF EXISTS {0}; DROP TABLE IF EXISTS {0}_v{version};", model.name);
        for Sum { name, .. } in model.sums {
            let _ = write!(script, "DROP VIEW IF EXISTS {name}; DROP TABLE IF EXISTS {name}_v{version};");
        }
        transaction.execute_batch(&script)?;
    }
    transaction.execute("DELETE FROM checkpoints WHERE model = ?1", [model.name])?;
    Ok(())
}

fn create(model: &Model) -> String {
    let name = table(model);
    let mut script = format!("CREATE TABLE {name} (key TEXT PRIMARY KEY, doc BLOB NOT NULL");
    for column in model.columns {
        let kind = match column.column_type {
            ColumnType::Text => "TEXT",
            ColumnType::Integer => "INTEGER",
        };
        let _ = write!(script, ", {} {kind}", column.name);
    }
    script.push_str(") STRICT;");
    for (number, columns) in model.indexes.iter().enumerate() {
        let _ = write!(script, "CREATE INDEX {name}_{number} ON {name} ({columns});");
    }
    let _ = write!(script, "CREATE VIEW {} AS SELECT * FROM {name};", model.name);
    for sum in model.sums {
        let name = sum_table(model, sum.name);
        let _ = write!(script, "CREATE TABLE {name} (key TEXT PRIMARY KEY, contributors INTEGER NOT NULL");
        for column in sum.columns {
            let _ = write!(script, ", {column} INTEGER NOT NULL");
        }
        let _ = write!(script, ") STRICT, WITHOUT ROWID; CREATE VIEW {} AS SELECT * FROM {name};", sum.name);
    }
    script
}

/// Empties a model.
pub(crate) fn reset(connection: &mut Connection, model: &Model) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    let mut script = format!("DELETE FROM {};", table(model));
    for sum in model.sums {
        let _ = write!(script, "DELETE FROM {};", sum_table(model, sum.name));
    }
    transaction.execute_batch(&script)?;
    let sql = "UPDATE checkpoints SET position = 0 WHERE model = ?1 AND version = ?2";
    transaction.execute(sql, (model.name, model.version))?;
    transaction.commit()
}
