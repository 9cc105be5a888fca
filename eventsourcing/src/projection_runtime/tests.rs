//! Batches against one event at a time, and sums against the rows they are sums of.

use std::collections::BTreeMap;

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::envelope::{Actor, Origin};
use crate::id::CorrelationId;
use crate::projector::{Column, ColumnType, Sum, Value};
use crate::testkit::noon;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Painted {
    things: Vec<u8>,
    colour: Option<u8>,
}

crate::event_enum! {
    /// Things get a colour, or go.
    pub(crate) enum PaintEvent { Painted = "thing.painted" v 1 }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    colour: u8,
}

/// Things by name, and how many have each colour.
struct Things;

impl Projector for Things {
    const MODEL: Model = Model {
        name: "things",
        version: 1,
        columns: &[Column { name: "colour", column_type: ColumnType::Integer }],
        indexes: &[],
        sums: &[Sum { name: "colours", columns: &["brightness"] }],
    };
    type Event = Painted;
    type Row = Thing;

    fn takes() -> Vec<&'static str> {
        vec!["thing.painted"]
    }

    fn read(event: &RecordedEvent) -> Result<Option<Painted>, DecodeError> {
        let PaintEvent::Painted(event) = event.decode()?;
        Ok(Some(event))
    }

    fn keys(event: &Painted, _: &RecordedEvent) -> Vec<String> {
        event.things.iter().map(ToString::to_string).collect()
    }

    fn project(_: &str, _: Option<Thing>, event: &Painted, _: &RecordedEvent) -> Option<Thing> {
        event.colour.map(|colour| Thing { colour })
    }

    fn columns(_: &str, row: &Thing) -> Vec<Value> {
        vec![Value::Integer(i64::from(row.colour))]
    }

    fn contributions(_: &str, row: &Thing) -> Vec<Contribution> {
        let (key, deltas) = (row.colour.to_string(), vec![i64::from(row.colour) * 10]);
        vec![Contribution { sum: "colours", key, deltas }]
    }
}

/// A database of read models, in memory.
#[derive(Debug, Default, PartialEq)]
struct Tables {
    rows: BTreeMap<String, Vec<u8>>,
    sums: BTreeMap<String, (i64, Vec<i64>)>,
    checkpoint: Position,
}

impl Tables {
    fn apply(&mut self, fold: &mut dyn ErasedProjector, events: &[RecordedEvent]) -> usize {
        let keys = fold.plan(events).unwrap();
        let stored = keys.into_iter().filter_map(|key| self.rows.get(&key).map(|row| (key, row.clone())));
        let reached = events.last().map_or(Position::START, |event| event.position);
        let change = fold.fold(stored.collect(), reached).unwrap();
        let written = change.rows.len();
        for row in change.rows {
            match row.content {
                Some((document, _)) => drop(self.rows.insert(row.key, document)),
                None => drop(self.rows.remove(&row.key)),
            }
        }
        for sum in change.sums {
            let entry = self.sums.entry(sum.key).or_insert((0, vec![0]));
            entry.0 += sum.contributors;
            entry.1[0] += sum.deltas[0];
        }
        self.sums.retain(|_, (contributors, _)| *contributors != 0);
        self.checkpoint = change.checkpoint;
        written
    }
}

fn recorded(position: u64, event: &PaintEvent) -> RecordedEvent {
    let stream = StreamName::new("thing", "a");
    let origin = Origin::new(Uuid::from_u128(1), Actor::new("test", "x"), CorrelationId::from(Uuid::nil()));
    let envelope = origin.envelope(&stream, 0, event, noon());
    RecordedEvent { position: Position(position), stream, revision: Revision(position - 1), event: envelope }
}

fn painted(position: u64, things: &[u8], colour: Option<u8>) -> RecordedEvent {
    recorded(position, &Painted { things: things.to_vec(), colour }.into())
}

#[test]
fn a_row_that_stays_the_same_is_not_written() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    assert_eq!(tables.apply(&mut *fold, &[painted(1, &[1, 2], Some(3))]), 2);
    assert_eq!(tables.apply(&mut *fold, &[painted(2, &[1], Some(3))]), 0);
    assert_eq!(tables.apply(&mut *fold, &[painted(3, &[1], Some(4)), painted(4, &[1], Some(3))]), 0);
}

#[test]
fn the_checkpoint_moves_over_what_is_not_taken() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    let mut other = painted(1, &[1], Some(1));
    other.event.event_type = "thing.sold".into();
    tables.apply(&mut *fold, &[other]);
    assert_eq!((tables.checkpoint, tables.rows.len()), (Position(1), 0));
}

#[test]
fn events_at_or_before_the_checkpoint_are_passed_over() {
    let mut fold = ProjectorFold::<Things>::boxed();
    fold.start_at(Position(5));
    let mut tables = Tables::default();
    tables.apply(&mut *fold, &[painted(5, &[1], Some(1)), painted(6, &[2], Some(1))]);
    assert_eq!(tables.rows.keys().collect::<Vec<_>>(), ["2"]);
}

#[test]
fn an_event_that_does_not_decode_is_named() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut broken = painted(1, &[1], Some(1));
    broken.event.data = b"{}".as_slice().into();
    let error = fold.plan(&[broken]).unwrap_err().to_string();
    assert!(error.contains("things") && error.contains("thing-a"), "{error}");
}

proptest! {
    #[test]
    fn a_batch_does_what_its_events_do_one_by_one(
        acts in prop::collection::vec((prop::collection::vec(0..6_u8, 0..4), prop::option::of(0..4_u8)), 1..40),
        batch in 1..9_usize,
    ) {
        let events: Vec<RecordedEvent> =
            (1..).zip(&acts).map(|(position, (things, colour))| painted(position, things, *colour)).collect();
        let (mut by_one, mut by_batch) = (Tables::default(), Tables::default());
        let mut fold = ProjectorFold::<Things>::boxed();
        events.chunks(1).for_each(|events| assert!(by_one.apply(&mut *fold, events) <= 4));
        let mut fold = ProjectorFold::<Things>::boxed();
        for events in events.chunks(batch) {
            by_batch.apply(&mut *fold, events);
            // What is in memory must not matter.
            if batch % 2 == 0 {
                fold.forget();
                fold.start_at(by_batch.checkpoint);
            }
        }
        prop_assert_eq!(&by_one, &by_batch);
        let mut recomputed: BTreeMap<String, (i64, Vec<i64>)> = BTreeMap::new();
        for row in by_one.rows.values() {
            let row: Thing = serde_json::from_slice(row).unwrap();
            let sum = recomputed.entry(row.colour.to_string()).or_insert((0, vec![0]));
            sum.0 += 1;
            sum.1[0] += i64::from(row.colour) * 10;
        }
        prop_assert_eq!(by_one.sums, recomputed);
    }
}
