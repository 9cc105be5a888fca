//! Comparing two databases of read models, row by row in order of key, without loading a table.

use std::cmp::Ordering;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{Connection, Row};
use souk_eventsourcing::projector::{Build, ReadModelError};

use crate::ddl;
use crate::failure::Failure;
use crate::read::{describe, key, select};
use crate::snapshot::Snapshot;

/// Differences that are shown; more are counted.
pub const DIFFERENCES_SHOWN_MAX: usize = 20;

/// A row that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// The model.
    pub model: &'static str,
    /// Its table, or that of one of its sums.
    pub table: String,
    /// The row.
    pub key: String,
    /// On the one side; none when it is not there.
    pub left: Option<String>,
    /// On the other.
    pub right: Option<String>,
}

/// What comparing found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Comparison {
    /// Keys that were compared.
    pub rows: u64,
    /// Those that are not the same on both sides.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// Two builds of a model, of which the one may have an earlier version; what only one of the shapes has
/// is not compared.
#[derive(Clone, Copy, Debug)]
pub struct Pair {
    /// On the one side.
    pub left: Build,
    /// The version of its shape.
    pub left_version: u32,
    /// On the other.
    pub right: Build,
}

/// Compares builds and their sums, each database as of its snapshot. It is the caller who knows that both
/// are at one position. `progress` is told rows compared and rows in all. Blocks.
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
    let (left, right) = (&left.connection, &right.connection);
    let mut tables = Vec::new();
    let mut total = 0;
    for pair in pairs {
        for table in ddl::tables(pair.right) {
            let left_name = ddl::table_name(table.view, pair.left_version, pair.left.number);
            let Some(columns) = columns_of(left, &left_name)? else { continue };
            let sql = format!("SELECT count(*) FROM {}", table.quoted_name);
            total += right.query_row(&sql, [], |row| row.get::<_, u64>(0))?;
            let shared = table.columns.iter().filter(|column| columns.iter().any(|known| known == *column));
            let shared: Vec<&'static str> = shared.copied().collect();
            tables.push((pair.right.model.name, left_name, table, shared));
        }
    }
    let mut comparison = Comparison::default();
    for (model, left_name, table, columns) in &tables {
        let sides = Sides { model, left: left_name, right: &table.name, columns };
        compare_table(left, right, &sides, &mut comparison, &mut |rows| progress(rows, total))?;
    }
    progress(comparison.rows, total);
    Ok(comparison)
}

/// The names of a table's columns; none when there is no such table.
fn columns_of(connection: &Connection, table: &str) -> Result<Option<Vec<String>>, Failure> {
    let mut statement = connection.prepare("SELECT name FROM pragma_table_info(?1)")?;
    let names = statement.query_map([table], |row| row.get(0))?;
    let names = names.collect::<rusqlite::Result<Vec<String>>>()?;
    Ok((!names.is_empty()).then_some(names))
}

/// Two tables and what is compared of them.
struct Sides<'a> {
    model: &'static str,
    left: &'a str,
    right: &'a str,
    columns: &'a [&'static str],
}

/// Rows between two words of progress.
const PROGRESS_EVERY: u64 = 10_000;

fn compare_table(
    left: &Connection,
    right: &Connection,
    sides: &Sides<'_>,
    comparison: &mut Comparison,
    progress: &mut dyn FnMut(u64),
) -> Result<(), Failure> {
    let mut left = left.prepare(&select(sides.left, sides.columns))?;
    let mut right = right.prepare(&select(sides.right, sides.columns))?;
    let (mut left, mut right) = (left.query([])?, right.query([])?);
    left.advance()?;
    right.advance()?;
    loop {
        let order = match (left.get(), right.get()) {
            (None, None) => return Ok(()),
            (Some(_), None) => Ordering::Less,
            (None, Some(_)) => Ordering::Greater,
            (Some(one), Some(other)) => key(one)?.cmp(key(other)?),
        };
        let one = left.get().filter(|_| order.is_le());
        let other = right.get().filter(|_| order.is_ge());
        comparison.take(sides, one, other)?;
        if comparison.rows.is_multiple_of(PROGRESS_EVERY) {
            progress(comparison.rows);
        }
        if order.is_le() {
            left.advance()?;
        }
        if order.is_ge() {
            right.advance()?;
        }
    }
}

impl Comparison {
    /// Takes the rows of one key, of which one may be missing.
    fn take(
        &mut self,
        sides: &Sides<'_>,
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
            let shown = |row: Option<&Row<'_>>| -> rusqlite::Result<Option<String>> {
                row.map(|row| describe(sides.columns, row)).transpose()
            };
            let key = left.or(right).map(key).transpose()?.unwrap_or_default().to_owned();
            let (left, right) = (shown(left)?, shown(right)?);
            let (model, table) = (sides.model, sides.right.to_owned());
            self.differences.push(Difference { model, table, key, left, right });
        }
        Ok(())
    }
}

fn is_same(left: &Row<'_>, right: &Row<'_>, columns: usize) -> rusqlite::Result<bool> {
    for place in 1..=columns {
        if left.get_ref(place)? != right.get_ref(place)? {
            return Ok(false);
        }
    }
    Ok(true)
}
