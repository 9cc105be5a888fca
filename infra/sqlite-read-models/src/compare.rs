//! Comparison of the builds in two snapshots. Rows are compared one by one in the order of their keys, so no
//! table is loaded into memory.

use std::cmp::Ordering;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{Connection, Row};
use souk_eventsourcing::projector::{Build, ReadModelError};

use crate::ddl;
use crate::failure::Failure;
use crate::read::{describe, key, select};
use crate::snapshot::Snapshot;

/// Maximum number of differences that are described. All differences are counted.
pub const DIFFERENCES_SHOWN_MAX: usize = 20;

/// A row that differs between the two sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Name of the model.
    pub model: &'static str,
    /// Name of the table that has the row: the table of the model's rows, or of one of its sums.
    pub table: String,
    /// Key of the row.
    pub key: String,
    /// Content of the row on the left side; `None` if the row is missing.
    pub left: Option<String>,
    /// Content of the row on the right side; `None` if the row is missing.
    pub right: Option<String>,
}

/// Result of a comparison.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Number of keys that were compared.
    pub rows: u64,
    /// Number of keys with a difference.
    pub different: u64,
    /// The first differences, up to [`DIFFERENCES_SHOWN_MAX`].
    pub differences: Vec<Difference>,
}

/// Two builds of a model. The left one may have an earlier version. Columns that only one of the versions has
/// are not compared.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// Build on the left side.
    pub left: Build,
    /// Version of the model in the left build.
    pub left_version: u32,
    /// Build on the right side.
    pub right: Build,
}

/// Compares the rows and sums of builds in two snapshots. The caller must make sure that both builds are at
/// the same position. `progress` is called with the number of compared keys, and with the number of rows on
/// the right side. Blocks the calling thread.
pub fn compare(
    left: &Snapshot,
    right: &Snapshot,
    pairs: &[Pair],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Comparison, ReadModelError> {
    compare_all(left, right, pairs, progress).map_err(ReadModelError::from)
}

fn compare_all(
    left: &Snapshot,
    right: &Snapshot,
    pairs: &[Pair],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Comparison, Failure> {
    let left = &left.connection;
    let right = &right.connection;
    let mut tables = Vec::new();
    let mut total = 0;
    for pair in pairs {
        for table in ddl::tables(pair.right) {
            let left_name = ddl::table_name(table.view, pair.left_version, pair.left.number);
            let Some(columns) = columns_of(left, &left_name)? else { continue };
            let sql = format!("SELECT count(*) FROM {}", table.quoted_name);
            total += right.query_row(&sql, [], |row| row.get::<_, u64>(0))?;
            let shared = table
                .columns
                .iter()
                .filter(|column| columns.iter().any(|left_column| left_column == *column));
            let shared: Vec<&'static str> = shared.copied().collect();
            tables.push((pair.right.model.name, left_name, table, shared));
        }
    }
    let mut comparison = Comparison::default();
    for (model, left_name, table, columns) in &tables {
        let sides = TablePair { model, left: left_name, right: &table.name, columns };
        compare_table(left, right, &sides, &mut comparison, &mut |rows| progress(rows, total))?;
    }
    progress(comparison.rows, total);
    Ok(comparison)
}

/// Returns the names of a table's columns, or `None` if the table does not exist.
fn columns_of(connection: &Connection, table: &str) -> Result<Option<Vec<String>>, Failure> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    let names = names.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok((!names.is_empty()).then_some(names))
}

/// Two tables that are compared, and their shared columns.
struct TablePair<'a> {
    model: &'static str,
    left: &'a str,
    right: &'a str,
    columns: &'a [&'static str],
}

/// Number of compared keys between two calls of `progress`.
const PROGRESS_EVERY: u64 = 10_000;

fn compare_table(
    left: &Connection,
    right: &Connection,
    sides: &TablePair<'_>,
    comparison: &mut Comparison,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let mut left = left.prepare(&select(sides.left, sides.columns))?;
    let mut right = right.prepare(&select(sides.right, sides.columns))?;
    let mut left = left.query([])?;
    let mut right = right.query([])?;
    left.advance()?;
    right.advance()?;
    loop {
        let key_order = match (left.get(), right.get()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(left), Some(right)) => key(left)?.cmp(key(right)?),
        };
        let left_row = left.get().filter(|_| key_order.is_le());
        let right_row = right.get().filter(|_| key_order.is_ge());
        comparison.add(sides, left_row, right_row)?;
        if comparison.rows.is_multiple_of(PROGRESS_EVERY) {
            progress(comparison.rows);
        }
        if key_order.is_le() {
            left.advance()?;
        }
        if key_order.is_ge() {
            right.advance()?;
        }
    }
}

impl Comparison {
    /// Counts one key, and describes it if its rows differ. The row may be missing on one side.
    fn add(
        &mut self,
        sides: &TablePair<'_>,
        left: Option<&Row<'_>>,
        right: Option<&Row<'_>>,
    ) -> rusqlite::Result<()> {
        self.rows += 1;
        if let (Some(left), Some(right)) = (left, right)
            && is_same(left, right, sides.columns.len())?
        {
            return Ok(());
        }
        self.different += 1;
        if self.differences.len() < DIFFERENCES_SHOWN_MAX {
            let described = |row: Option<&Row<'_>>| -> rusqlite::Result<Option<String>> {
                row.map(|row| describe(sides.columns, row)).transpose()
            };
            let key = left.or(right).map(key).transpose()?.unwrap_or_default().to_owned();
            self.differences.push(Difference {
                model: sides.model,
                table: sides.right.to_owned(),
                key,
                left: described(left)?,
                right: described(right)?,
            });
        }
        Ok(())
    }
}

fn is_same(left: &Row<'_>, right: &Row<'_>, columns: usize) -> rusqlite::Result<bool> {
    // Column 0 is the key.
    for index in 1..=columns {
        if left.get_ref(index)? != right.get_ref(index)? {
            return Ok(false);
        }
    }
    Ok(true)
}
