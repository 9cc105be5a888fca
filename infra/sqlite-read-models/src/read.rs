//! Reads of a table, row by row in the order of its keys.

use std::fmt::Write as _;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::ddl::quoted;

/// Returns the columns after the key as text, for example `doc={} colour=red size=NULL`.
pub(crate) fn describe(columns: &[&'static str], row: &Row<'_>) -> rusqlite::Result<String> {
    let mut text = String::new();
    for (column, index) in columns.iter().zip(1..) {
        let separator = if text.is_empty() { "" } else { " " };
        let _ = write!(text, "{separator}{column}={}", as_text(row.get_ref(index)?));
    }
    Ok(text)
}

fn as_text(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// Returns the key of a row that [`select`] has read.
pub(crate) fn key<'a>(row: &'a Row<'_>) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(0)?.as_str()?)
}

/// Returns the SQL that reads some columns of a table, ordered by key.
pub(crate) fn select(table: &str, columns: &[&'static str]) -> String {
    let columns: Vec<String> = columns.iter().map(|column| quoted(column)).collect();
    format!("SELECT key, {} FROM {} ORDER BY key", columns.join(", "), quoted(table))
}
