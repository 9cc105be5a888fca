//! Reading a table row by row in order of its key, without loading it.

use std::fmt::Write as _;
use std::ops::ControlFlow;
use std::path::Path;

use rusqlite::Row;
use rusqlite::types::ValueRef;

use crate::ddl::Table;
use crate::failure::Failure;
use crate::open;

/// A row as it is stored, while it is looked at.
#[derive(Debug)]
pub struct StoredRow<'a> {
    /// Its key.
    pub key: &'a str,
    /// The columns after the key, the document or the number of contributors first, by name.
    pub values: Vec<(&'a str, ValueRef<'a>)>,
}

impl<'a> StoredRow<'a> {
    pub(crate) fn new(table: &'a Table, row: &'a Row<'_>) -> rusqlite::Result<Self> {
        let value = |(column, place): (&&'a str, usize)| Ok((*column, row.get_ref(place)?));
        let values = table.columns.iter().zip(1..).map(value).collect::<rusqlite::Result<_>>()?;
        Ok(Self { key: key(row)?, values })
    }

    /// The values in words, as in `doc={} colour=red size=NULL`.
    pub fn describe(&self) -> String {
        let mut text = String::new();
        for (column, value) in &self.values {
            let separator = if text.is_empty() { "" } else { " " };
            let _ = write!(text, "{separator}{column}={}", in_words(*value));
        }
        text
    }
}

fn in_words(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".to_owned(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(bytes) | ValueRef::Blob(bytes) => String::from_utf8_lossy(bytes).into_owned(),
    }
}

/// The key of a row that [`select`] gave.
pub(crate) fn key<'a>(row: &'a Row<'_>) -> rusqlite::Result<&'a str> {
    Ok(row.get_ref(0)?.as_str()?)
}

/// Everything in a table, by key.
pub(crate) fn select(table: &Table) -> String {
    format!("SELECT key, {} FROM {} ORDER BY key", table.quoted_columns.join(", "), table.quoted_name)
}

/// Shows every row of a table to `each`, until it breaks off.
pub(crate) fn scan(
    path: &Path,
    table: &Table,
    mut each: impl FnMut(StoredRow<'_>) -> ControlFlow<()>,
) -> Result<(), Failure> {
    let connection = open::for_reading(path)?;
    let mut statement = connection.prepare(&select(table))?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        if each(StoredRow::new(table, row)?).is_break() {
            break;
        }
    }
    Ok(())
}
