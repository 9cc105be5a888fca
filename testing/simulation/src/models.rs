//! Read models, with tables that survive a kill.

use std::collections::BTreeMap;

use serde::de::DeserializeOwned;
use souk_eventsourcing::projection_runtime::ErasedProjector;
use souk_eventsourcing::projector::{ModelChange, OpenBuild};
use souk_eventsourcing::{Position, RecordedEvent};

/// Tables of a read model: rows by key, and sums by name and key.
#[derive(Clone, Debug, Default, PartialEq)]
struct Tables {
    rows: BTreeMap<String, Vec<u8>>,
    sums: BTreeMap<(&'static str, String), (i64, Vec<i64>)>,
    checkpoint: Position,
}

/// All read models of the shop.
pub(crate) struct Models {
    projectors: Vec<Box<dyn ErasedProjector>>,
    tables: Vec<Tables>,
}

impl Models {
    pub(crate) fn new() -> Self {
        let projectors = souk_projections::all();
        let tables = vec![Tables::default(); projectors.len()];
        Self { projectors, tables }
    }

    pub(crate) fn position(&self) -> Position {
        self.projectors[0].checkpoint()
    }

    /// Folds a page into all read models. If `is_lost`, the changes are dropped before the commit.
    pub(crate) fn fold(&mut self, events: &[RecordedEvent], is_lost: bool) {
        let Some(last) = events.last() else { return };
        for (projector, tables) in self.projectors.iter_mut().zip(&mut self.tables) {
            let keys = projector.plan(events).unwrap();
            let stored =
                keys.into_iter().filter_map(|key| tables.rows.get(&key).map(|row| (key, row.clone())));
            let change = projector.fold(stored.collect(), last.position).unwrap();
            if is_lost {
                projector.forget();
            } else {
                assert_eq!(change.from, tables.checkpoint);
                projector.committed();
                tables.commit(change);
            }
        }
    }

    /// Restores the projectors from the tables, as after a kill.
    pub(crate) fn restart(&mut self) {
        self.projectors = souk_projections::all();
        for (projector, tables) in self.projectors.iter_mut().zip(&self.tables) {
            let build = projector.build();
            let checkpoint = tables.checkpoint;
            projector.start_at(OpenBuild { build, is_live: true, checkpoint, parked: Vec::new() });
        }
    }

    /// Returns the rows of a read model by key.
    pub(crate) fn rows<Row: DeserializeOwned>(&self, model: &str) -> BTreeMap<String, Row> {
        let index = self.projectors.iter().position(|projector| projector.model().name == model).unwrap();
        let rows = self.tables[index].rows.iter();
        rows.map(|(key, row)| (key.clone(), serde_json::from_slice(row).unwrap())).collect()
    }

    /// Returns the documents of all rows.
    pub(crate) fn documents(&self) -> impl Iterator<Item = &Vec<u8>> {
        self.tables.iter().flat_map(|tables| tables.rows.values())
    }

    /// Checks that the tables are equal to those of a rebuild from the log.
    pub(crate) fn check(&self, log: &[RecordedEvent]) {
        let mut rebuilt = Self::new();
        for page in log.chunks(64) {
            rebuilt.fold(page, false);
        }
        for ((projector, live), rebuilt) in self.projectors.iter().zip(&self.tables).zip(&rebuilt.tables) {
            assert_eq!(live, rebuilt, "read model {}", projector.model().name);
        }
    }
}

impl Tables {
    fn commit(&mut self, change: ModelChange) {
        for row in change.rows {
            match row.content {
                Some((document, _)) => self.rows.insert(row.key, document),
                None => self.rows.remove(&row.key),
            };
        }
        for sum in change.sums {
            let entry = self.sums.entry((sum.sum, sum.key)).or_insert_with(|| (0, vec![0; sum.deltas.len()]));
            entry.0 += sum.contributors;
            for (total, delta) in entry.1.iter_mut().zip(sum.deltas) {
                *total += delta;
            }
        }
        self.sums.retain(|_, (contributors, _)| *contributors != 0);
        self.checkpoint = change.checkpoint;
    }
}
