//! Batches against one event at a time, and sums against the rows they are sums of.

use std::collections::{BTreeMap, BTreeSet};

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
    things: Vec<u16>,
    colour: Option<u8>,
}

crate::event_enum! {
    /// Things get more colour, or go.
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

    fn project(_: &str, row: Option<Thing>, event: &Painted, _: &RecordedEvent) -> Option<Thing> {
        let shade = row.map_or(0, |thing| thing.colour);
        event.colour.map(|colour| Thing { colour: (shade + colour) % 5 })
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

fn painted(position: u64, things: &[u16], colour: Option<u8>) -> RecordedEvent {
    recorded(position, &Painted { things: things.to_vec(), colour }.into())
}

fn documents(pairs: &[(&str, &str)]) -> Vec<(String, Vec<u8>)> {
    pairs.iter().map(|(key, document)| ((*key).to_owned(), document.as_bytes().to_vec())).collect()
}

#[test]
fn a_row_that_stays_the_same_is_not_written() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    assert_eq!(tables.apply(&mut *fold, &[painted(1, &[1, 2], Some(3))]), 2);
    assert_eq!(tables.apply(&mut *fold, &[painted(2, &[1], Some(0))]), 0);
    assert_eq!(tables.apply(&mut *fold, &[painted(3, &[1], Some(4)), painted(4, &[1], Some(1))]), 0);
}

#[test]
fn a_row_that_was_removed_is_written_as_gone_once() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    tables.apply(&mut *fold, &[painted(1, &[1], Some(3))]);
    assert_eq!(tables.apply(&mut *fold, &[painted(2, &[1], None)]), 1);
    assert!(tables.rows.is_empty() && tables.sums.is_empty());
    assert_eq!(tables.apply(&mut *fold, &[painted(3, &[1], None)]), 0);
}

#[test]
fn an_event_that_names_a_row_twice_happens_to_it_once() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    tables.apply(&mut *fold, &[painted(1, &[1, 2, 1], Some(2))]);
    assert_eq!(tables.rows["1"], br#"{"colour":2}"#);
}

#[test]
fn sums_that_cancel_out_are_not_written() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    tables.apply(&mut *fold, &[painted(1, &[1], Some(1)), painted(2, &[2], Some(2))]);
    assert!(fold.plan(&[painted(3, &[1], Some(1)), painted(4, &[2], Some(4))]).unwrap().is_empty());
    let change = fold.fold(Vec::new(), Position(4)).unwrap();
    assert_eq!((change.rows.len(), change.sums.len()), (2, 0));
}

#[test]
fn recent_rows_are_not_loaded_again_and_rows_long_unused_are() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    let more_than_fit: Vec<u16> = (0..=u16::try_from(CACHE_ROWS_MAX.get()).unwrap()).collect();
    for (position, thing) in (1..).zip(&more_than_fit) {
        tables.apply(&mut *fold, &[painted(position, &[*thing], Some(1))]);
    }
    let events = [painted(20_000, &[more_than_fit[1], 0], Some(1))];
    assert_eq!(fold.plan(&events).unwrap(), ["0"]);
}

#[test]
fn a_row_that_was_loaded_and_not_changed_is_kept_in_memory() {
    let mut fold = ProjectorFold::<Things>::boxed();
    fold.plan(&[painted(1, &[1], Some(0))]).unwrap();
    fold.fold(documents(&[("1", r#"{"colour":3}"#)]), Position(1)).unwrap();
    assert!(fold.plan(&[painted(2, &[1], Some(0))]).unwrap().is_empty());
}

#[test]
fn a_batch_that_was_not_committed_is_folded_again() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    tables.apply(&mut *fold, &[painted(1, &[1], Some(1))]);
    let lost = [painted(2, &[1], Some(1))];
    fold.plan(&lost).unwrap();
    fold.fold(Vec::new(), Position(2)).unwrap();
    fold.forget();
    assert_eq!(fold.checkpoint(), Position(1));
    tables.apply(&mut *fold, &[painted(1, &[1], Some(1)), lost[0].clone()]);
    assert_eq!(tables.rows["1"], br#"{"colour":2}"#);
}

#[test]
fn a_batch_that_cannot_be_planned_or_folded_takes_nothing_of_the_committed_one_back() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    tables.apply(&mut *fold, &[painted(1, &[1], Some(1))]);
    let mut broken = painted(2, &[1], Some(1));
    broken.event.data = b"{}".as_slice().into();
    fold.plan(&[broken]).unwrap_err();
    fold.forget();
    assert_eq!(fold.checkpoint(), Position(1));
    assert_eq!(fold.plan(&[painted(2, &[2], Some(1))]).unwrap(), ["2"]);
    let error = fold.fold(documents(&[("2", "{")]), Position(2)).unwrap_err().to_string();
    assert!(error.contains("row `2` of read model things"), "{error}");
    fold.forget();
    assert_eq!(fold.checkpoint(), Position(1));
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
    assert!(error.contains("things") && error.contains("thing-a") && error.contains("revision 0"), "{error}");
}

/// What the events do, said as plainly as can be.
fn plainly(events: &[(Vec<u16>, Option<u8>)]) -> BTreeMap<String, Vec<u8>> {
    let mut colours: BTreeMap<u16, u8> = BTreeMap::new();
    for (things, colour) in events {
        for thing in things.iter().collect::<BTreeSet<_>>() {
            match colour {
                Some(colour) => {
                    let shade = colours.entry(*thing).or_default();
                    *shade = (*shade + colour) % 5;
                }
                None => drop(colours.remove(thing)),
            }
        }
    }
    let document = |colour| format!("{{\"colour\":{colour}}}").into_bytes();
    colours.into_iter().map(|(thing, colour)| (thing.to_string(), document(colour))).collect()
}

proptest! {
    #[test]
    fn a_batch_does_what_its_events_do_one_by_one(
        acts in prop::collection::vec((prop::collection::vec(0..6_u16, 0..4), prop::option::of(0..4_u8)), 1..40),
        batch in 1..9_usize,
        forgets in any::<bool>(),
    ) {
        let events: Vec<RecordedEvent> =
            (1..).zip(&acts).map(|(position, (things, colour))| painted(position, things, *colour)).collect();
        let mut fold = ProjectorFold::<Things>::boxed();
        let mut tables = Tables::default();
        for events in events.chunks(batch) {
            if forgets {
                // What is in memory must not matter, nor a batch that was folded and not committed.
                let keys = fold.plan(events).unwrap();
                let stored = keys.into_iter().filter_map(|key| tables.rows.get(&key).map(|row| (key, row.clone())));
                fold.fold(stored.collect(), Position(events.last().unwrap().position.0)).unwrap();
                fold.forget();
            }
            tables.apply(&mut *fold, events);
        }
        prop_assert_eq!(&tables.rows, &plainly(&acts));
        prop_assert_eq!(tables.checkpoint, events.last().unwrap().position);
    }

    #[test]
    fn a_sum_is_what_its_rows_contribute(
        acts in prop::collection::vec((prop::collection::vec(0..6_u16, 0..4), prop::option::of(0..4_u8)), 1..40),
        batch in 1..9_usize,
    ) {
        let events: Vec<RecordedEvent> =
            (1..).zip(&acts).map(|(position, (things, colour))| painted(position, things, *colour)).collect();
        let mut fold = ProjectorFold::<Things>::boxed();
        let mut tables = Tables::default();
        for events in events.chunks(batch) {
            tables.apply(&mut *fold, events);
            let mut recomputed: BTreeMap<String, (i64, Vec<i64>)> = BTreeMap::new();
            for row in tables.rows.values() {
                let row: Thing = serde_json::from_slice(row).unwrap();
                let sum = recomputed.entry(row.colour.to_string()).or_insert((0, vec![0]));
                sum.0 += 1;
                sum.1[0] += i64::from(row.colour) * 10;
            }
            prop_assert_eq!(&tables.sums, &recomputed);
        }
    }
}
