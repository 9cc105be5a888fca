//! The SQL that reads and writes the rows of a build. It is created once per build. The parameters are the
//! key, followed by the values in the order of the columns.

use std::fmt::Write as _;

use souk_eventsourcing::projector::{Build, Sum};

use crate::ddl::{Table, row_table, table_of_sum};

/// SQL statements of a build.
pub(crate) struct ModelStatements {
    pub(crate) columns: usize,
    pub(crate) select: String,
    pub(crate) upsert: String,
    pub(crate) delete: String,
    sums: Vec<SumStatements>,
}

/// SQL statements of a sum.
pub(crate) struct SumStatements {
    pub(crate) name: &'static str,
    pub(crate) columns: usize,
    pub(crate) add: String,
    /// Deletes the row of a key that has no contributors left.
    pub(crate) remove: String,
}

impl ModelStatements {
    pub(crate) fn new(build: Build) -> Self {
        let table = row_table(build);
        let model = build.model;
        let name = &table.quoted_name;
        Self {
            columns: model.columns.len(),
            select: format!("SELECT doc FROM {name} WHERE key = ?1"),
            upsert: upsert(&table, |column| format!("excluded.{column}")),
            delete: format!("DELETE FROM {name} WHERE key = ?1"),
            sums: model.sums.iter().map(|sum| SumStatements::new(build, sum)).collect(),
        }
    }

    /// Finds a sum by name. A model has few sums, so a linear search is as fast as a map.
    pub(crate) fn sum(&self, name: &str) -> Option<&SumStatements> {
        self.sums.iter().find(|sum| sum.name == name)
    }
}

impl SumStatements {
    fn new(build: Build, sum: &Sum) -> Self {
        let table = table_of_sum(build, sum);
        Self {
            name: sum.name,
            columns: sum.columns.len(),
            add: upsert(&table, |column| format!("{column} + excluded.{column}")),
            remove: format!("DELETE FROM {} WHERE key = ?1 AND contributors = 0", table.quoted_name),
        }
    }
}

fn upsert(table: &Table, updated: impl Fn(&str) -> String) -> String {
    let mut columns = String::new();
    let mut places = String::new();
    let mut updates = String::new();
    for (column, place) in table.quoted_columns.iter().zip(2..) {
        let _ = write!(columns, ", {column}");
        let _ = write!(places, ", ?{place}");
        let separator = if place == 2 { "" } else { ", " };
        let _ = write!(updates, "{separator}{column} = {}", updated(column));
    }
    let name = &table.quoted_name;
    format!("INSERT INTO {name} (key{columns}) VALUES (?1{places}) ON CONFLICT (key) DO UPDATE SET {updates}")
}
