//! Comparing two databases of read models, row by row in order of key, without loading a table.

use std::path::Path;

use rusqlite::{Connection, OpenFlags, Rows};
use souk_eventsourcing::projector::Model;

use crate::READ_MODELS_FILE;
use crate::ddl::{sum_table, table};

/// Differences that are shown; more are counted.
const DIFFERENCES_SHOWN_MAX: usize = 20;

/// A row that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Difference {
    /// The model or sum.
    pub table: String,
    /// The row.
    pub key: String,
    /// On the one side; none when it is not there.
    pub left: Option<String>,
    /// On the other.
    pub right: Option<String>,
}

/// What comparing found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Comparison {
    /// Rows that were compared.
    pub rows: u64,
    /// Rows that are not the same.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// Compares models and their sums in two folders.
pub fn compare(left: &Path, right: &Path, models: &[&'static Model]) -> rusqlite::Result<Comparison> {
    let open = |folder: &Path| {
        Connection::open_with_flags(folder.join(READ_MODELS_FILE), OpenFlags::SQLITE_OPEN_READ_ONLY)
    };
    let (left, right) = (open(left)?, open(right)?);
    let mut comparison = Comparison::default();
    for model in models {
        let columns: Vec<&str> = model.columns.iter().map(|column| column.name).collect();
        compare_table(&left, &right, &table(model), &with("doc", &columns), &mut comparison)?;
        for sum in model.sums {
            let name = sum_table(model, sum.name);
            compare_table(&left, &right, &name, &with("contributors", sum.columns), &mut comparison)?;
        }
    }
    Ok(comparison)
}

fn with(first: &str, columns: &[&str]) -> String {
    let texts = std::iter::once(first).chain(columns.iter().copied());
    let texts: Vec<String> = texts.map(|column| format!("coalesce(CAST({column} AS TEXT), '-')")).collect();
    texts.join(" || ' | ' || ")
}

fn compare_table(
    left: &Connection,
    right: &Connection,
    name: &str,
    content: &str,
    comparison: &mut Comparison,
) -> rusqlite::Result<()> {
    let sql = format!("SELECT key, {content} FROM {name} ORDER BY key");
    let (mut left, mut right) = (left.prepare(&sql)?, right.prepare(&sql)?);
    let (mut left, mut right) = (left.query([])?, right.query([])?);
    let (mut one, mut other) = (next(&mut left)?, next(&mut right)?);
    loop {
        let order = match (&one, &other) {
            (None, None) => return Ok(()),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (Some((one, _)), Some((other, _))) => one.cmp(other),
        };
        comparison.rows += 1;
        let taken_left = if order.is_le() { std::mem::replace(&mut one, next(&mut left)?) } else { None };
        let taken_right = if order.is_ge() { std::mem::replace(&mut other, next(&mut right)?) } else { None };
        if taken_left != taken_right {
            comparison.different += 1;
            let key = taken_left.as_ref().or(taken_right.as_ref()).map(|(key, _)| key.clone()).unwrap_or_default();
            if comparison.differences.len() < DIFFERENCES_SHOWN_MAX {
                let content = |row: Option<(String, String)>| row.map(|(_, content)| content);
                let (left, right) = (content(taken_left), content(taken_right));
                comparison.differences.push(Difference { table: name.to_owned(), key, left, right });
            }
        }
    }
}

fn next(rows: &mut Rows<'_>) -> rusqlite::Result<Option<(String, String)>> {
    rows.next()?.map(|row| Ok((row.get(0)?, row.get(1)?))).transpose()
}
