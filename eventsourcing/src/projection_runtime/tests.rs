//! Tests of the projection runtime. They compare batches with single events, and sums with rows.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::*;
use crate::envelope::{Actor, Origin};
use crate::id::{CorrelationId, Revision, StreamName};
use crate::payload::DecodeError;
use crate::projector::{Column, ColumnType, Sum, Value};
use crate::testkit::noon;

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub(crate) struct Painted {
    things: Vec<u16>,
    colour: Option<u8>,
}

crate::event_enum! {
    /// Events that paint things. An event without a colour removes them.
    pub(crate) enum PaintEvent { Painted = "thing.painted" v 1 }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct Thing {
    colour: u8,
}

/// Colour on which the projector panics.
const REFUSED_COLOUR: u8 = 200;

/// Read model of things by number, with the number and the total brightness of the things of each colour.
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

    fn event_types() -> Vec<&'static str> {
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
        assert!(event.colour != Some(REFUSED_COLOUR), "poison");
        event.colour.map(|colour| Thing { colour: (shade + colour) % 5 })
    }

    fn columns(_: &str, row: &Thing) -> Vec<Value> {
        vec![Value::Integer(i64::from(row.colour))]
    }

    fn contributions(_: &str, row: &Thing) -> Vec<Contribution> {
        let deltas = vec![i64::from(row.colour) * 10];
        vec![Contribution { sum: "colours", key: row.colour.to_string(), deltas }]
    }
}

/// Database of read models, in memory.
#[derive(Debug, Default, PartialEq)]
struct Tables {
    rows: BTreeMap<String, Vec<u8>>,
    sums: BTreeMap<String, (i64, Vec<i64>)>,
    parked: Vec<Parked>,
    waiting: Vec<(Entity, Position)>,
    checkpoint: Position,
}

impl Tables {
    /// Retries the events that waited for an entity.
    fn retry(
        &mut self,
        fold: &mut dyn ErasedProjector,
        entity: &Entity,
        events: &[RecordedEvent],
    ) -> Result<(), ProjectionError> {
        let stored = |keys: Vec<String>| {
            keys.into_iter().filter_map(|key| self.rows.get(&key).map(|row| (key, row.clone()))).collect()
        };
        let planned = fold.plan_parked(entity, events);
        let change = planned.and_then(|keys| fold.fold(stored(keys), Position::START));
        match change {
            Ok(change) => {
                fold.committed();
                self.write(change)
            }
            Err(error) => {
                fold.forget();
                return Err(error);
            }
        };
        Ok(())
    }

    /// Applies a batch. Returns the number of changed rows.
    fn apply(&mut self, fold: &mut dyn ErasedProjector, events: &[RecordedEvent]) -> usize {
        let keys = fold.plan(events).unwrap();
        let stored = keys.into_iter().filter_map(|key| self.rows.get(&key).map(|row| (key, row.clone())));
        let reached = events.last().map_or(Position::START, |event| event.position);
        let change = fold.fold(stored.collect(), reached).unwrap();
        assert_eq!(change.from, self.checkpoint);
        fold.committed();
        self.write(change)
    }

    /// Writes a change. Returns the number of changed rows.
    fn write(&mut self, change: ModelChange) -> usize {
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
        self.parked.retain(|parked| !change.parking.released.contains(parked));
        self.parked.extend(change.parking.parked);
        let is_parked = |entity: &Entity| self.parked.iter().any(|parked| parked.failure.entity == *entity);
        self.waiting.extend(change.parking.waiting);
        self.waiting.retain(|(entity, _)| is_parked(entity));
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
fn the_removal_of_a_row_is_written_once() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    tables.apply(&mut *fold, &[painted(1, &[1], Some(3))]);
    assert_eq!(tables.apply(&mut *fold, &[painted(2, &[1], None)]), 1);
    assert!(tables.rows.is_empty() && tables.sums.is_empty());
    assert_eq!(tables.apply(&mut *fold, &[painted(3, &[1], None)]), 0);
}

#[test]
fn an_event_that_names_a_row_twice_is_applied_to_it_once() {
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
fn the_cache_drops_the_rows_whose_last_use_is_the_oldest() {
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
fn an_unchanged_row_is_cached_after_it_was_loaded() {
    let mut fold = ProjectorFold::<Things>::boxed();
    fold.plan(&[painted(1, &[1], Some(0))]).unwrap();
    fold.fold(documents(&[("1", r#"{"colour":3}"#)]), Position(1)).unwrap();
    fold.committed();
    assert!(fold.plan(&[painted(2, &[1], Some(0))]).unwrap().is_empty());
}

// Proves: platform.applied-once
#[test]
fn a_batch_that_was_not_committed_can_be_applied_again() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    tables.apply(&mut *fold, &[painted(1, &[1], Some(1))]);
    let uncommitted = [painted(2, &[1], Some(1))];
    fold.plan(&uncommitted).unwrap();
    fold.fold(Vec::new(), Position(2)).unwrap();
    fold.forget();
    assert_eq!(fold.checkpoint(), Position(1));
    tables.apply(&mut *fold, &[painted(1, &[1], Some(1)), uncommitted[0].clone()]);
    assert_eq!(tables.rows["1"], br#"{"colour":2}"#);
}

#[test]
fn after_a_failed_batch_the_checkpoint_is_that_of_the_last_committed_batch() {
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
    assert!(error.contains("read model things: key `2`"), "{error}");
    fold.forget();
    assert_eq!(fold.checkpoint(), Position(1));
}

// Proves: common.position-moves-on
#[test]
fn the_checkpoint_moves_past_events_that_the_model_does_not_read() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    let mut other = painted(1, &[1], Some(1));
    other.event.event_type = "thing.sold".into();
    tables.apply(&mut *fold, &[other]);
    assert_eq!((tables.checkpoint, tables.rows.len()), (Position(1), 0));
}

// Proves: platform.applied-once
#[test]
fn events_at_or_before_the_checkpoint_are_ignored() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let build = fold.build();
    fold.start_at(OpenBuild { build, is_live: true, checkpoint: Position(5), parked: Vec::new() });
    let mut tables = Tables { checkpoint: Position(5), ..Tables::default() };
    tables.apply(&mut *fold, &[painted(5, &[1], Some(1)), painted(6, &[2], Some(1))]);
    assert_eq!(tables.rows.keys().collect::<Vec<_>>(), ["2"]);
}

#[test]
fn the_error_names_the_event_that_cannot_be_decoded() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut broken = painted(1, &[1], Some(1));
    broken.event.data = b"{}".as_slice().into();
    let error = fold.plan(&[broken]).unwrap_err().to_string();
    assert!(error.contains("things") && error.contains("thing-a") && error.contains("revision 0"), "{error}");
}

/// Computes the rows after these events in the simplest way, for comparison.
fn expected_rows(events: &[(Vec<u16>, Option<u8>)]) -> BTreeMap<String, Vec<u8>> {
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
    fn a_batch_gives_the_same_rows_as_its_single_events(
        changes in prop::collection::vec(
            (prop::collection::vec(0..6_u16, 0..4), prop::option::of(0..4_u8)),
            1..40,
        ),
        batch in 1..9_usize,
        repeats_batches in any::<bool>(),
    ) {
        let events: Vec<RecordedEvent> = (1..)
            .zip(&changes)
            .map(|(position, (things, colour))| painted(position, things, *colour))
            .collect();
        let mut fold = ProjectorFold::<Things>::boxed();
        let mut tables = Tables::default();
        for events in events.chunks(batch) {
            if repeats_batches {
                // Neither rows in memory nor an uncommitted batch may change the result.
                let keys = fold.plan(events).unwrap();
                let stored =
                    keys.into_iter().filter_map(|key| tables.rows.get(&key).map(|row| (key, row.clone())));
                fold.fold(stored.collect(), Position(events.last().unwrap().position.0)).unwrap();
                fold.forget();
            }
            tables.apply(&mut *fold, events);
        }
        prop_assert_eq!(&tables.rows, &expected_rows(&changes));
        prop_assert_eq!(tables.checkpoint, events.last().unwrap().position);
    }

    #[test]
    fn a_sum_equals_the_contributions_of_its_rows(
        changes in prop::collection::vec(
            (prop::collection::vec(0..6_u16, 0..4), prop::option::of(0..4_u8)),
            1..40,
        ),
        batch in 1..9_usize,
    ) {
        let events: Vec<RecordedEvent> = (1..)
            .zip(&changes)
            .map(|(position, (things, colour))| painted(position, things, *colour))
            .collect();
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

/// Returns an event whose payload can't be decoded.
fn unreadable(position: u64) -> RecordedEvent {
    let mut event = painted(position, &[1], Some(1));
    event.event.data = b"{}".as_slice().into();
    event
}

fn park(fold: &mut dyn ErasedProjector, error: ProjectionError, keys: &[&str]) -> Entity {
    let keys = keys.iter().map(|key| (*key).to_owned()).collect();
    let entity = error.failure.entity.clone();
    fold.park(Parked { failure: *error.failure, keys, since: noon() });
    entity
}

/// Moves an event from the stream `thing-a`, where all test events begin, to `thing-b`.
fn of_other_stream(mut event: RecordedEvent) -> RecordedEvent {
    event.stream = StreamName::new("thing", "b");
    event
}

// Proves: platform.parked-rows
#[test]
fn an_unreadable_event_parks_its_stream_and_rows_and_the_other_rows_continue() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    tables.apply(&mut *fold, &[painted(1, &[1, 2], Some(1))]);
    let batch = [unreadable(2), painted(3, &[1], Some(1)), of_other_stream(painted(4, &[2, 3], Some(2)))];
    let error = fold.plan(&batch).unwrap_err();
    let entity = park(&mut *fold, error, &["1", "2"]);
    assert_eq!(entity, Entity::Stream(StreamName::new("thing", "a")));
    assert_eq!(tables.apply(&mut *fold, &batch), 1, "row 3 belongs to no parked stream");
    assert_eq!(tables.rows["1"], br#"{"colour":1}"#);
    assert_eq!(tables.waiting, [2, 3, 4].map(|position| (entity.clone(), Position(position))));

    // After the event is skipped, the waiting events are applied to the parked rows only.
    fold.skip(Skip { stream: batch[0].stream.clone(), revision: batch[0].revision, key: None });
    tables.retry(&mut *fold, &entity, &batch).unwrap();
    assert_eq!(tables.rows["1"], br#"{"colour":2}"#);
    assert_eq!(tables.rows["2"], br#"{"colour":3}"#);
    assert_eq!(tables.rows["3"], br#"{"colour":2}"#, "row 3 already had this event");
    assert!(tables.parked.is_empty());
    assert_eq!(tables.checkpoint, Position(4));
    tables.apply(&mut *fold, &[painted(5, &[1], Some(1))]);
    assert_eq!(tables.rows["1"], br#"{"colour":3}"#);
}

#[test]
fn a_panic_of_the_projector_parks_only_the_row_that_caused_it() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let mut tables = Tables::default();
    let batch =
        [painted(1, &[1, 2], Some(1)), painted(2, &[1], Some(REFUSED_COLOUR)), painted(3, &[1, 2], Some(1))];
    fold.plan(&batch).unwrap();
    let error = fold.fold(Vec::new(), Position(3)).unwrap_err();
    assert!(
        error.to_string().contains(
            "read model things: key `1` can't take thing-a at revision 1 (position 2): it panicked: poison"
        ),
        "{error}"
    );
    let entity = park(&mut *fold, error, &["1"]);
    tables.apply(&mut *fold, &batch);
    assert_eq!(tables.rows["1"], br#"{"colour":1}"#, "the row is as it was before the failed event");
    assert_eq!(tables.rows["2"], br#"{"colour":2}"#);
    tables.retry(&mut *fold, &entity, &batch[1..]).unwrap_err();
    assert_eq!(tables.parked.len(), 1, "the row stays parked while its event fails");
    fold.skip(Skip { stream: batch[1].stream.clone(), revision: batch[1].revision, key: Some("1".into()) });
    tables.retry(&mut *fold, &entity, &batch[1..]).unwrap();
    assert_eq!(tables.rows["1"], br#"{"colour":2}"#);
    assert_eq!(tables.rows["2"], br#"{"colour":2}"#, "the waiting events of one row change no other row");
}

#[test]
fn a_batch_that_was_not_committed_parks_nothing() {
    let mut fold = ProjectorFold::<Things>::boxed();
    let error = fold.plan(&[unreadable(1)]).unwrap_err();
    let entity = park(&mut *fold, error, &[]);
    assert!(fold.plan(&[unreadable(1)]).unwrap().is_empty());
    let change = fold.fold(Vec::new(), Position(1)).unwrap();
    assert_eq!((change.parking.parked.len(), change.parking.waiting.len()), (1, 1));
    fold.forget();
    assert_eq!(fold.parked(&entity), None);
    fold.plan(&[unreadable(1)]).unwrap_err();
}
