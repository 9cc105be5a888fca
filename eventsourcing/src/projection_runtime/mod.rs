//! The runtime of read models: applies batches of events to rows, in memory.
//!
//! A step function with two steps, so that the driver can load rows between them. [`ErasedProjector::plan`]
//! returns the keys of the rows that a batch needs. [`ErasedProjector::fold`] computes their changes.
//!
//! Invariants: a batch writes each changed row once, and no unchanged row. A sum equals the total of its
//! rows' contributions. The checkpoint also moves past events that do not concern the model.
//!
//! On failure: [`ErasedProjector::forget`] returns to the state before the batch, and the batch is planned
//! again. An event that can't be applied parks its row or stream ([`crate::parking`]), so that the rest of
//! the batch succeeds.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::envelope::RecordedEvent;
use crate::id::Position;
use crate::parking::{ApplyFailure, Entity, Parked, Parking, Skip, catch_panic};
use crate::projector::{Build, Contribution, Model, ModelChange, OpenBuild, Projector, RowChange, SumChange};

/// Largest number of decoded rows that a model keeps in memory.
pub const CACHE_ROWS_MAX: NonZeroUsize = NonZeroUsize::new(2_048).expect("not zero");

/// Error for a batch that can't be applied.
#[derive(Debug, Clone, thiserror::Error)]
#[error("read model {model}: {failure}")]
pub struct ProjectionError {
    /// Name of the model.
    pub model: &'static str,
    /// Event, and the row or stream to which it can't be applied.
    pub failure: Box<ApplyFailure>,
}

/// Projector of any model, together with the build that it writes.
///
/// The driver processes a batch in five steps: `plan`, load the rows, `fold`, commit the change, `committed`.
/// If a step fails, the driver calls [`ErasedProjector::forget`], which returns to the state before the
/// batch. If an event can't be applied, the driver calls [`ErasedProjector::park`] instead, which also parks
/// the entity. Then it plans the batch again.
pub trait ErasedProjector: Send + Sync {
    /// Returns the model of the projector.
    fn model(&self) -> &'static Model;
    /// Returns the build that the projector writes.
    fn build(&self) -> Build;
    /// Returns the position up to which events have been applied.
    fn checkpoint(&self) -> Position;
    /// Sets the build to write, with its checkpoint and its parked entities.
    fn start_at(&mut self, opened: OpenBuild);
    /// Skips an event from now on.
    fn skip(&mut self, skip: Skip);
    /// Decodes a batch, each event once. Events at or before the checkpoint are ignored. Returns the keys of
    /// the rows that must be loaded, sorted and without duplicates.
    fn plan(&mut self, events: &[RecordedEvent]) -> Result<Vec<String>, ProjectionError>;
    /// Applies the planned batch. `loaded` are the stored rows among those that `plan` returned. `reached` is
    /// the position up to which the log was read.
    fn fold(
        &mut self,
        loaded: Vec<(String, Vec<u8>)>,
        reached: Position,
    ) -> Result<ModelChange, ProjectionError>;
    /// Records that the last change was stored.
    fn committed(&mut self);
    /// Drops the batch that was not committed, and all rows in memory.
    fn forget(&mut self);
    /// Drops the batch that was not committed, and parks an entity. The driver then plans the batch again.
    fn park(&mut self, parked: Parked);
    /// Returns the parking data of an entity; `None` if the entity is not parked.
    fn parked(&self, entity: &Entity) -> Option<&Parked>;
    /// Releases an entity and plans the events that waited for it. `fold` then applies them to the rows of
    /// this entity only.
    fn plan_parked(
        &mut self,
        entity: &Entity,
        events: &[RecordedEvent],
    ) -> Result<Vec<String>, ProjectionError>;
    /// Parks an entity again because one of its waiting events still can't be applied. `waiting` are the
    /// positions of this event and of all later ones.
    fn park_again(&mut self, parked: Parked, waiting: &[Position]);
    /// Returns the keys of the rows that an event may change; empty if the event can't be decoded.
    fn keys(&self, event: &RecordedEvent) -> Vec<String>;
    /// Returns true if the event has a type that the model reads, but can't be decoded. Skips do not matter.
    fn is_unreadable(&self, event: &RecordedEvent) -> bool;
}

/// Runtime of projector `P`: its plan, its cache of rows, and its checkpoint.
pub struct ProjectorFold<P: Projector> {
    event_types: HashSet<&'static str>,
    /// Position up to which events have been applied in memory.
    checkpoint: Position,
    /// Position up to which changes have been stored.
    committed: Position,
    build: Build,
    parking: Parking,
    /// Rows as they are stored. The cache does not record that a row is missing.
    cache: LruCache<String, P::Row>,
    planned: Vec<PlannedEvent<P>>,
    /// Number of each key in the planned batch, in the order of first use.
    places: HashMap<String, usize>,
}

/// Decoded event, and the keys of the rows that it may change.
type DecodedEvent<P> = (<P as Projector>::Event, Vec<String>);

struct PlannedEvent<P: Projector> {
    recorded: RecordedEvent,
    event: P::Event,
    /// Places of the rows that the event may change.
    rows: Vec<usize>,
}

/// Row before and after a batch.
struct LoadedRow<R> {
    key: String,
    before: Option<R>,
    after: Option<R>,
}

impl<P: Projector> ProjectorFold<P> {
    /// Makes a projector at the start of the log. The driver then sets its build with
    /// [`ErasedProjector::start_at`].
    pub fn boxed() -> Box<dyn ErasedProjector> {
        Box::new(Self {
            event_types: P::event_types().into_iter().collect(),
            checkpoint: Position::START,
            committed: Position::START,
            build: Build { model: const { &P::MODEL }, number: 0 },
            parking: Parking::default(),
            cache: LruCache::new(CACHE_ROWS_MAX),
            planned: Vec::new(),
            places: HashMap::new(),
        })
    }

    fn drop_plan(&mut self) {
        self.planned.clear();
        self.places.clear();
    }

    /// Adds an event to the plan, and the keys of the rows to load to `missing`.
    fn plan_event(
        &mut self,
        recorded: &RecordedEvent,
        missing: &mut Vec<String>,
    ) -> Result<(), ProjectionError> {
        if recorded.position <= self.checkpoint || !self.event_types.contains(recorded.event_type()) {
            return Ok(());
        }
        if let Some(entity) = self.parking.blocking_stream(recorded) {
            self.parking.wait(entity, recorded.position);
            return Ok(());
        }
        let Some((event, mut keys)) = self.read(recorded)? else { return Ok(()) };
        keys.retain(|key| match self.parking.blocking_key(key, recorded) {
            Some(entity) => {
                self.parking.wait(entity, recorded.position);
                false
            }
            None => true,
        });
        self.add_to_plan(recorded, event, keys, missing);
        Ok(())
    }

    /// Adds an event that waited for the released entity `released` to the plan.
    fn plan_waiting_event(
        &mut self,
        released: &Parked,
        recorded: &RecordedEvent,
        missing: &mut Vec<String>,
    ) -> Result<(), ProjectionError> {
        let Some((event, mut keys)) = self.read(recorded)? else { return Ok(()) };
        keys.retain(|key| {
            if let Some(other) = self.parking.blocking_key(key, recorded) {
                self.parking.wait(other, recorded.position);
                return false;
            }
            let is_of_stream = released.failure.entity == Entity::Stream(recorded.stream.clone());
            is_of_stream || released.keys.contains(key)
        });
        self.add_to_plan(recorded, event, keys, missing);
        Ok(())
    }

    /// Decodes an event. Returns `None` if the event does not concern the model or is skipped.
    fn read(&self, recorded: &RecordedEvent) -> Result<Option<DecodedEvent<P>>, ProjectionError> {
        if self.parking.is_skipped(&recorded.stream, recorded.revision, None) {
            return Ok(None);
        }
        let mut decoded = match Self::decode(recorded) {
            // An operator skipped the event for one row while it was still readable. Now all rows skip it.
            Err(_) if self.parking.has_skip_for(recorded) => None,
            Err(reason) => {
                return Err(Self::failure(Entity::Stream(recorded.stream.clone()), recorded, &reason));
            }
            Ok(decoded) => decoded,
        };
        if let Some((_, keys)) = &mut decoded {
            keys.retain(|key| !self.parking.is_skipped(&recorded.stream, recorded.revision, Some(key)));
        }
        Ok(decoded)
    }

    /// Decodes an event without regard to skips and parked entities.
    fn decode(recorded: &RecordedEvent) -> Result<Option<DecodedEvent<P>>, String> {
        let read = || -> Result<_, String> {
            let Some(event) = P::read(recorded).map_err(|error| error.to_string())? else { return Ok(None) };
            let mut keys = P::keys(&event, recorded);
            if keys.len() > 1 {
                // An event is applied to a row once, even if it names the row several times.
                keys.sort_unstable();
                keys.dedup();
            }
            Ok(Some((event, keys)))
        };
        catch_panic(read).flatten()
    }

    fn failure(entity: Entity, recorded: &RecordedEvent, reason: &str) -> ProjectionError {
        let failure = Box::new(ApplyFailure::new(entity, recorded, reason));
        ProjectionError { model: P::MODEL.name, failure }
    }

    fn add_to_plan(
        &mut self,
        recorded: &RecordedEvent,
        event: P::Event,
        keys: Vec<String>,
        missing: &mut Vec<String>,
    ) {
        if !keys.is_empty() {
            let rows = keys.into_iter().map(|key| self.place(key, missing)).collect();
            self.planned.push(PlannedEvent { recorded: recorded.clone(), event, rows });
        }
    }

    /// Returns the event that produced a row whose columns or contributions can't be computed. `row` is the
    /// row before the batch.
    fn failing_event(&self, place: usize, key: &str, mut row: Option<P::Row>) -> RecordedEvent {
        for PlannedEvent { recorded, event, rows } in &self.planned {
            if !rows.contains(&place) {
                continue;
            }
            row = P::project(key, row, event, recorded);
            let compute = |row: &P::Row| (P::columns(key, row), P::contributions(key, row));
            if row.as_ref().is_some_and(|row| catch_panic(|| compute(row)).is_err()) {
                return recorded.clone();
            }
        }
        self.first_event(place)
    }

    /// Returns the first planned event that may change a row.
    fn first_event(&self, place: usize) -> RecordedEvent {
        let first = self.planned.iter().find(|planned| planned.rows.contains(&place));
        first.map(|planned| planned.recorded.clone()).expect("each place belongs to a row of a planned event")
    }

    /// Returns the place of a key in the planned batch. Adds the key to `missing` if its row must be loaded.
    fn place(&mut self, key: String, missing: &mut Vec<String>) -> usize {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        if !self.cache.contains(&key) {
            missing.push(key.clone());
        }
        let place = self.places.len();
        self.places.insert(key, place);
        place
    }

    /// Returns the rows of the planned batch as they are stored, in the order of their places. Moves cached
    /// rows out of the cache. If a loaded row can't be decoded, the cache stays unchanged.
    fn rows_before(
        &mut self,
        loaded: Vec<(String, Vec<u8>)>,
    ) -> Result<Vec<LoadedRow<P::Row>>, ProjectionError> {
        let untouched = || LoadedRow { key: String::new(), before: None, after: None };
        let mut rows: Vec<LoadedRow<P::Row>> =
            std::iter::repeat_with(untouched).take(self.places.len()).collect();
        for (key, document) in loaded {
            let Some(place) = self.places.get(&key) else { continue };
            let row = serde_json::from_slice(&document).map_err(|error| {
                let reason = format!(
                    "its row can't be read: {error}; rebuild it with `souk replay {}`",
                    P::MODEL.name
                );
                let mut error = Self::failure(Entity::Key(key), &self.first_event(*place), &reason);
                error.failure.can_be_skipped = false;
                error
            })?;
            rows[*place].before = Some(row);
        }
        for (key, place) in self.places.drain() {
            let row = &mut rows[place];
            row.before = row.before.take().or_else(|| self.cache.pop(&key));
            row.after.clone_from(&row.before);
            row.key = key;
        }
        Ok(rows)
    }

    /// Returns the changes of rows and sums to write. Moves the resulting rows into the cache.
    fn change(
        &mut self,
        rows: Vec<LoadedRow<P::Row>>,
    ) -> Result<(Vec<RowChange>, Vec<SumChange>), ProjectionError> {
        let mut changes = Vec::new();
        let mut sums = Sums::new();
        for (place, LoadedRow { key, before, after }) in rows.into_iter().enumerate() {
            if before != after {
                let compute_content = || {
                    if !P::MODEL.sums.is_empty() {
                        let contributions = |row: &P::Row| P::contributions(&key, row);
                        let old = before.as_ref().map(contributions);
                        let new = after.as_ref().map(contributions);
                        add(&mut sums, old, -1);
                        add(&mut sums, new, 1);
                    }
                    after.as_ref().map(|row| (document(row), P::columns(&key, row)))
                };
                let content = catch_panic(compute_content).map_err(|reason| {
                    let failing_event = self.failing_event(place, &key, before.clone());
                    Self::failure(Entity::Key(key.clone()), &failing_event, &reason)
                })?;
                changes.push(RowChange { key: key.clone(), content });
            }
            if let Some(row) = after {
                self.cache.put(key, row);
            }
        }
        // Writing in the order of keys is faster, because the database changes neighbouring pages of the
        // index.
        changes.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok((changes, sum_changes(sums)))
    }
}

impl<P: Projector> ErasedProjector for ProjectorFold<P> {
    fn model(&self) -> &'static Model {
        const { &P::MODEL }
    }

    fn build(&self) -> Build {
        self.build
    }

    fn checkpoint(&self) -> Position {
        self.checkpoint
    }

    fn start_at(&mut self, opened: OpenBuild) {
        self.build = opened.build;
        self.checkpoint = opened.checkpoint;
        self.committed = opened.checkpoint;
        self.cache.clear();
        self.drop_plan();
        self.parking.restore(opened.parked);
    }

    fn skip(&mut self, skip: Skip) {
        self.parking.skip(skip);
    }

    fn plan(&mut self, events: &[RecordedEvent]) -> Result<Vec<String>, ProjectionError> {
        self.drop_plan();
        let mut missing = Vec::new();
        for recorded in events {
            if let Err(error) = self.plan_event(recorded, &mut missing) {
                self.drop_plan();
                return Err(error);
            }
        }
        missing.sort_unstable();
        Ok(missing)
    }

    fn fold(
        &mut self,
        loaded: Vec<(String, Vec<u8>)>,
        reached: Position,
    ) -> Result<ModelChange, ProjectionError> {
        let mut touched = self.rows_before(loaded)?;
        for PlannedEvent { recorded, event, rows } in &self.planned {
            for place in rows {
                let row = &mut touched[*place];
                let before = row.after.take();
                row.after = catch_panic(|| P::project(&row.key, before, event, recorded))
                    .map_err(|reason| Self::failure(Entity::Key(row.key.clone()), recorded, &reason))?;
            }
        }
        let (rows, sums) = self.change(touched)?;
        self.planned.clear();
        self.checkpoint = self.checkpoint.max(reached);
        Ok(ModelChange {
            build: self.build,
            rows,
            sums,
            parking: self.parking.change(),
            from: self.committed,
            checkpoint: self.checkpoint,
        })
    }

    fn forget(&mut self) {
        self.cache.clear();
        self.drop_plan();
        self.checkpoint = self.committed;
        self.parking.roll_back();
    }

    fn committed(&mut self) {
        self.committed = self.checkpoint;
        self.parking.stored();
    }

    fn park(&mut self, parked: Parked) {
        self.cache.clear();
        self.drop_plan();
        self.checkpoint = self.committed;
        self.parking.forget_waiting();
        self.parking.park(parked);
    }

    fn park_again(&mut self, parked: Parked, waiting: &[Position]) {
        for position in waiting {
            self.parking.wait(parked.failure.entity.clone(), *position);
        }
        self.parking.park(parked);
    }

    fn parked(&self, entity: &Entity) -> Option<&Parked> {
        self.parking.get(entity)
    }

    fn plan_parked(
        &mut self,
        entity: &Entity,
        events: &[RecordedEvent],
    ) -> Result<Vec<String>, ProjectionError> {
        self.drop_plan();
        let Some(parked) = self.parking.get(entity).cloned() else { return Ok(Vec::new()) };
        self.parking.release(entity);
        let mut missing = Vec::new();
        for recorded in events {
            if let Err(error) = self.plan_waiting_event(&parked, recorded, &mut missing) {
                self.drop_plan();
                return Err(error);
            }
        }
        missing.sort_unstable();
        Ok(missing)
    }

    fn keys(&self, event: &RecordedEvent) -> Vec<String> {
        if !self.event_types.contains(event.event_type()) {
            return Vec::new();
        }
        self.read(event).ok().flatten().map(|(_, keys)| keys).unwrap_or_default()
    }

    fn is_unreadable(&self, event: &RecordedEvent) -> bool {
        self.event_types.contains(event.event_type()) && Self::decode(event).is_err()
    }
}

fn document<R: serde::Serialize>(row: &R) -> Vec<u8> {
    serde_json::to_vec(row).expect("rows have string keys and no failing serializers")
}

/// Change in contributors and deltas, by sum and key.
type Sums = BTreeMap<(&'static str, String), (i64, Vec<i64>)>;

fn add(sums: &mut Sums, contributions: Option<Vec<Contribution>>, sign: i64) {
    for Contribution { sum, key, deltas } in contributions.into_iter().flatten() {
        let (contributors, totals) = sums.entry((sum, key)).or_insert_with(|| (0, vec![0; deltas.len()]));
        *contributors += sign;
        for (total, delta) in totals.iter_mut().zip(deltas) {
            *total += sign * delta;
        }
    }
}

/// Returns the changes that are not zero.
fn sum_changes(sums: Sums) -> Vec<SumChange> {
    let is_nonzero = |(_, (contributors, deltas)): &(_, (i64, Vec<i64>))| {
        *contributors != 0 || deltas.iter().any(|delta| *delta != 0)
    };
    let change = |((sum, key), (contributors, deltas))| SumChange { sum, key, contributors, deltas };
    sums.into_iter().filter(is_nonzero).map(change).collect()
}

#[cfg(test)]
mod tests;
