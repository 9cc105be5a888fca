//! Read model for the tests. The projection runtime of `souk-eventsourcing` computes it, and
//! `souk-sqlite-read-models` stores it.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use souk_eventsourcing::payload::DecodeError;
use souk_eventsourcing::projection_runtime::{ErasedProjector, ProjectorFold};
use souk_eventsourcing::projector::{
    Column, ColumnType, Contribution, Model, Projector, ReadModelError, ReadModelStore, Sum, Value,
};
use souk_eventsourcing::{Filter, Position, RecordedEvent};
use souk_sqlite_read_models::SqliteReadModels;

use crate::Log;

/// Maximum number of events that one call of [`Models::fold`] applies.
const PAGE_EVENTS_MAX: usize = 16;

/// Row of the read model: number and total bytes of the events of a stream.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
struct StreamTotal {
    events: i64,
    bytes: i64,
}

struct StreamTotalsProjector;

impl Projector for StreamTotalsProjector {
    const MODEL: Model = Model {
        name: "things",
        version: 1,
        columns: &[Column { name: "events", column_type: ColumnType::Integer }],
        indexes: &["events, key"],
        sums: &[Sum { name: "things_sum", columns: &["events", "bytes"] }],
    };
    type Event = i64;
    type Row = StreamTotal;

    fn event_types() -> Vec<&'static str> {
        vec!["thing.happened"]
    }

    fn read(event: &RecordedEvent) -> Result<Option<i64>, DecodeError> {
        Ok(i64::try_from(event.event.data.len()).ok())
    }

    fn keys(_: &i64, recorded: &RecordedEvent) -> Vec<String> {
        vec![recorded.stream.to_string()]
    }

    fn project(_: &str, row: Option<StreamTotal>, bytes: &i64, _: &RecordedEvent) -> Option<StreamTotal> {
        let before = row.unwrap_or_default();
        Some(StreamTotal { events: before.events + 1, bytes: before.bytes + bytes })
    }

    fn columns(_: &str, row: &StreamTotal) -> Vec<Value> {
        vec![Value::Integer(row.events)]
    }

    fn contributions(_: &str, row: &StreamTotal) -> Vec<Contribution> {
        vec![Contribution { sum: "things_sum", key: "all".to_owned(), deltas: vec![row.events, row.bytes] }]
    }
}

/// Read model with its store and its projector.
pub(crate) struct Models {
    store: std::sync::Arc<SqliteReadModels>,
    projector: Box<dyn ErasedProjector>,
}

impl Models {
    pub(crate) async fn open(store: std::sync::Arc<SqliteReadModels>) -> Result<Self, ReadModelError> {
        let mut projector = ProjectorFold::<StreamTotalsProjector>::boxed();
        let opened = ReadModelStore::open(&*store, &[projector.model()]).await?;
        projector.start_at(opened.into_iter().next().expect("a model has a build"));
        Ok(Self { store, projector })
    }

    pub(crate) fn checkpoint(&self) -> Position {
        self.projector.checkpoint()
    }

    /// Folds the next events of the log.
    pub(crate) async fn fold(&mut self, log: &Log) -> Result<(), ReadModelError> {
        use souk_eventsourcing::EventStore;
        let page = log.read_all(self.checkpoint(), PAGE_EVENTS_MAX, &Filter::all()).await.unwrap();
        if page.events.is_empty() {
            return Ok(());
        }
        let keys = self.projector.plan(&page.events).unwrap();
        let rows = self.store.load(self.projector.build(), keys).await?;
        let change = self.projector.fold(rows, page.reached).unwrap();
        self.store.commit(vec![change]).await?;
        self.projector.committed();
        Ok(())
    }

    /// Checks that the stored rows and sums match the log up to the checkpoint.
    pub(crate) async fn check(&self, log: &[RecordedEvent]) {
        let folded = usize::try_from(self.checkpoint().0).unwrap();
        assert!(folded <= log.len(), "the read model is ahead of the log: {folded} of {}", log.len());
        let mut expected: BTreeMap<String, StreamTotal> = BTreeMap::new();
        for event in &log[..folded] {
            let thing = expected.entry(event.stream.to_string()).or_default();
            thing.events += 1;
            thing.bytes += i64::try_from(event.event.data.len()).unwrap();
        }
        let keys = expected.keys().cloned().collect();
        let rows = self.store.load(self.projector.build(), keys).await.unwrap();
        let stored: BTreeMap<String, StreamTotal> =
            rows.into_iter().map(|(key, row)| (key, serde_json::from_slice(&row).unwrap())).collect();
        assert_eq!(stored, expected, "the read model at position {folded}");
        let total = |of: fn(&StreamTotal) -> i64| expected.values().map(of).sum::<i64>();
        let connection = rusqlite::Connection::open(self.store.path()).unwrap();
        let sql = "SELECT coalesce(sum(events), 0), coalesce(sum(bytes), 0) FROM things_sum";
        let sums: (i64, i64) = connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?))).unwrap();
        assert_eq!(
            sums,
            (total(|thing| thing.events), total(|thing| thing.bytes)),
            "the sums of the read model at position {folded}"
        );
    }
}
