//! Comparing two databases of read models, row by row in order of key, without loading a table.

use std::cmp::Ordering;

use rusqlite::fallible_streaming_iterator::FallibleStreamingIterator;
use rusqlite::{Connection, Row};
use souk_eventsourcing::projector::{Model, ReadModelError};

use crate::ddl::{Table, row_table, table_of_sum};
use crate::failure::Failure;
use crate::read::{describe, key, select};
use crate::{SqliteReadModels, open};

/// Differences that are shown; more are counted.
pub const DIFFERENCES_SHOWN_MAX: usize = 20;

/// A row that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
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
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct Comparison {
    /// Keys that were compared.
    pub rows: u64,
    /// Those that are not the same on both sides.
    pub different: u64,
    /// The first of them.
    pub differences: Vec<Difference>,
}

/// Compares models and their sums, each database as of one moment. The models must be open in both, and
/// it is the caller who knows that both are at one position. Blocks.
pub fn compare(
    left: &SqliteReadModels,
    right: &SqliteReadModels,
    models: &[&'static Model],
) -> Result<Comparison, ReadModelError> {
    compare_all(left, right, models).map_err(|failure| ReadModelError(failure.to_string()))
}

fn compare_all(
    left: &SqliteReadModels,
    right: &SqliteReadModels,
    models: &[&'static Model],
) -> Result<Comparison, Failure> {
    let (left, right) = (open::for_reading(left.path())?, open::for_reading(right.path())?);
    let mut comparison = Comparison::default();
    for model in models {
        compare_table(&left, &right, model.name, &row_table(model), &mut comparison)?;
        for sum in model.sums {
            compare_table(&left, &right, model.name, &table_of_sum(model, sum), &mut comparison)?;
        }
    }
    Ok(comparison)
}

fn compare_table(
    left: &Connection,
    right: &Connection,
    model: &'static str,
    table: &Table,
    comparison: &mut Comparison,
) -> Result<(), Failure> {
    let sql = select(table);
    let (mut left, mut right) = (left.prepare(&sql)?, right.prepare(&sql)?);
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
        comparison.take(model, table, one, other)?;
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
        model: &'static str,
        table: &Table,
        left: Option<&Row<'_>>,
        right: Option<&Row<'_>>,
    ) -> rusqlite::Result<()> {
        self.rows += 1;
        if let (Some(left), Some(right)) = (left, right)
            && is_same(left, right, table.columns.len())?
        {
            return Ok(());
        }
        self.different += 1;
        if self.differences.len() < DIFFERENCES_SHOWN_MAX {
            let shown = |row: Option<&Row<'_>>| -> rusqlite::Result<Option<String>> {
                row.map(|row| describe(table, row)).transpose()
            };
            let key = left.or(right).map(key).transpose()?.unwrap_or_default().to_owned();
            let (left, right) = (shown(left)?, shown(right)?);
            self.differences.push(Difference { model, table: table.name.clone(), key, left, right });
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
