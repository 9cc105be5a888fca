//! The runtime of read models: folds batches of events into rows, in memory.
//!
//! A step function in two steps, so that the driver can load rows between them: [`ErasedProjector::plan`]
//! says which rows a batch needs, [`ErasedProjector::fold`] says what becomes of them. What always
//! holds: each changed row is written once a batch, rows that stay the same are not written, a sum is
//! what its rows contribute, and the checkpoint moves over events that are not taken.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::num::NonZeroUsize;

use lru::LruCache;

use crate::envelope::RecordedEvent;
use crate::id::Position;
use crate::parking::{Entity, Parked, Parking, Poison, Skip, caught};
use crate::projector::{Build, Contribution, Model, ModelChange, OpenBuild, Projector, RowChange, SumChange};

/// Rows that a model keeps in memory, decoded.
pub const CACHE_ROWS_MAX: NonZeroUsize = NonZeroUsize::new(2_048).expect("not zero");

/// Why a batch can't be folded.
#[derive(Debug, Clone, thiserror::Error)]
#[error("read model {model}: {poison}")]
pub struct ProjectionError {
    /// The model.
    pub model: &'static str,
    /// Which event for what.
    pub poison: Box<Poison>,
}

/// A projector of any model, with what it folds into.
///
/// A batch is `plan`, load, `fold`, commit, `committed`. When any of these fails,
/// [`ErasedProjector::forget`] puts it back to where it was before the batch, and
/// [`ErasedProjector::park`] besides takes out what can't be folded; the batch is then planned again.
pub trait ErasedProjector: Send + Sync {
    /// The model.
    fn model(&self) -> &'static Model;
    /// The tables it folds into.
    fn build(&self) -> Build;
    /// How far it is.
    fn checkpoint(&self) -> Position;
    /// Sets what it folds into and how far that is.
    fn start_at(&mut self, opened: OpenBuild);
    /// An event that is passed over from now on.
    fn skip(&mut self, skip: Skip);
    /// Decodes a batch, each event once; events at or before the checkpoint are passed over. Returns the
    /// keys of the rows that must be loaded for it, sorted, each once.
    fn plan(&mut self, events: &[RecordedEvent]) -> Result<Vec<String>, ProjectionError>;
    /// Folds the planned batch. `loaded` are those rows that are stored; `reached` is how far the log
    /// was looked at.
    fn fold(
        &mut self,
        loaded: Vec<(String, Vec<u8>)>,
        reached: Position,
    ) -> Result<ModelChange, ProjectionError>;
    /// The change that was folded last is stored.
    fn committed(&mut self);
    /// Drops everything in memory and the batch that was not committed.
    fn forget(&mut self);
    /// Drops the batch that can't be folded and parks an entity; the batch is then planned again.
    fn park(&mut self, parked: Parked);
    /// An entity that is parked.
    fn parked(&self, entity: &Entity) -> Option<&Parked>;
    /// Plans the events that waited for a parked entity, which is released: `fold` then applies them to
    /// its rows alone.
    fn plan_parked(
        &mut self,
        entity: &Entity,
        events: &[RecordedEvent],
    ) -> Result<Vec<String>, ProjectionError>;
    /// Parks an entity anew whose events were planned up to one that still can't be taken: from there on
    /// they wait.
    fn park_again(&mut self, parked: Parked, waiting: &[Position]);
    /// The keys of the rows that an event touches; none when it can't be read.
    fn keys(&self, event: &RecordedEvent) -> Vec<String>;
    /// True for an event that the model takes and can't read, also when it is passed over by decision.
    fn is_unreadable(&self, event: &RecordedEvent) -> bool;
}

/// Folds the events that a projector takes.
pub struct ProjectorFold<P: Projector> {
    takes: HashSet<&'static str>,
    /// How far it has folded.
    checkpoint: Position,
    /// How far the stored model is, as far as is known.
    committed: Position,
    build: Build,
    parking: Parking,
    /// Rows as they are stored. A row that is not there is never remembered as missing.
    cache: LruCache<String, P::Row>,
    planned: Vec<Planned<P>>,
    /// The keys that the planned batch touches, numbered in the order of their first touch.
    places: HashMap<String, usize>,
}

/// An event and the keys of the rows it touches.
type Read<P> = (<P as Projector>::Event, Vec<String>);

struct Planned<P: Projector> {
    recorded: RecordedEvent,
    event: P::Event,
    /// Places of the touched rows.
    rows: Vec<usize>,
}

/// A row before and after a batch.
struct Touched<R> {
    key: String,
    before: Option<R>,
    after: Option<R>,
}

impl<P: Projector> ProjectorFold<P> {
    /// At the log's start, as a driver holds it.
    pub fn boxed() -> Box<dyn ErasedProjector> {
        Box::new(Self {
            takes: P::takes().into_iter().collect(),
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

    /// Takes one event into the plan.
    fn note(&mut self, recorded: &RecordedEvent, wanted: &mut Vec<String>) -> Result<(), ProjectionError> {
        if recorded.position <= self.checkpoint || !self.takes.contains(recorded.event_type()) {
            return Ok(());
        }
        if let Some(entity) = self.parking.holds_stream(recorded) {
            self.parking.wait(entity, recorded.position);
            return Ok(());
        }
        let Some((event, mut keys)) = self.read(recorded)? else { return Ok(()) };
        keys.retain(|key| match self.parking.holds_key(key, recorded) {
            Some(entity) => {
                self.parking.wait(entity, recorded.position);
                false
            }
            None => true,
        });
        self.take(recorded, event, keys, wanted);
        Ok(())
    }

    /// Takes an event that waited for an entity into the plan.
    fn note_parked(
        &mut self,
        parked: &Parked,
        recorded: &RecordedEvent,
        wanted: &mut Vec<String>,
    ) -> Result<(), ProjectionError> {
        let Some((event, mut keys)) = self.read(recorded)? else { return Ok(()) };
        keys.retain(|key| {
            if let Some(other) = self.parking.holds_key(key, recorded) {
                self.parking.wait(other, recorded.position);
                return false;
            }
            let is_of_stream = parked.poison.entity == Entity::Stream(recorded.stream.clone());
            is_of_stream || parked.keys.contains(key)
        });
        self.take(recorded, event, keys, wanted);
        Ok(())
    }

    /// An event and the keys it touches; none when it is of no interest.
    fn read(&self, recorded: &RecordedEvent) -> Result<Option<Read<P>>, ProjectionError> {
        if self.parking.is_skipped(&recorded.stream, recorded.revision, None) {
            return Ok(None);
        }
        let mut read = match Self::decoded(recorded) {
            // Skipped for a key while it could still be read: now for whatever it would touch.
            Err(_) if self.parking.is_named_by_a_skip(recorded) => None,
            read => read
                .map_err(|reason| Self::poison(Entity::Stream(recorded.stream.clone()), recorded, &reason))?,
        };
        if let Some((_, keys)) = &mut read {
            keys.retain(|key| !self.parking.is_skipped(&recorded.stream, recorded.revision, Some(key)));
        }
        Ok(read)
    }

    /// An event and the keys it touches, whatever is skipped or parked.
    fn decoded(recorded: &RecordedEvent) -> Result<Option<Read<P>>, String> {
        let read = || -> Result<_, String> {
            let Some(event) = P::read(recorded).map_err(|error| error.to_string())? else { return Ok(None) };
            let mut keys = P::keys(&event, recorded);
            if keys.len() > 1 {
                // An event happens to a row once, however often it names it.
                keys.sort_unstable();
                keys.dedup();
            }
            Ok(Some((event, keys)))
        };
        caught(read).flatten()
    }

    fn poison(entity: Entity, recorded: &RecordedEvent, reason: &str) -> ProjectionError {
        let poison = Box::new(Poison::new(entity, recorded, reason));
        ProjectionError { model: P::MODEL.name, poison }
    }

    fn take(
        &mut self,
        recorded: &RecordedEvent,
        event: P::Event,
        keys: Vec<String>,
        wanted: &mut Vec<String>,
    ) {
        if !keys.is_empty() {
            let rows = keys.into_iter().map(|key| self.place(key, wanted)).collect();
            self.planned.push(Planned { recorded: recorded.clone(), event, rows });
        }
    }

    /// The event that made a row whose columns or contributions can't be told.
    fn culprit(&self, place: usize, key: &str, mut row: Option<P::Row>) -> RecordedEvent {
        for Planned { recorded, event, rows } in &self.planned {
            if !rows.contains(&place) {
                continue;
            }
            row = P::project(key, row, event, recorded);
            let told = |row: &P::Row| (P::columns(key, row), P::contributions(key, row));
            if row.as_ref().is_some_and(|row| caught(|| told(row)).is_err()) {
                return recorded.clone();
            }
        }
        self.first_of(place)
    }

    /// The first planned event for a row.
    fn first_of(&self, place: usize) -> RecordedEvent {
        let first = self.planned.iter().find(|planned| planned.rows.contains(&place));
        first.map(|planned| planned.recorded.clone()).expect("a row has a place because an event touches it")
    }

    fn place(&mut self, key: String, wanted: &mut Vec<String>) -> usize {
        if let Some(place) = self.places.get(&key) {
            return *place;
        }
        if !self.cache.contains(&key) {
            wanted.push(key.clone());
        }
        let place = self.places.len();
        self.places.insert(key, place);
        place
    }

    /// The touched rows as they are stored, in their places; takes them out of the cache. When a row
    /// can't be read, nothing was taken.
    fn rows_before(
        &mut self,
        loaded: Vec<(String, Vec<u8>)>,
    ) -> Result<Vec<Touched<P::Row>>, ProjectionError> {
        let untouched = || Touched { key: String::new(), before: None, after: None };
        let mut rows: Vec<Touched<P::Row>> =
            std::iter::repeat_with(untouched).take(self.places.len()).collect();
        for (key, document) in loaded {
            let Some(place) = self.places.get(&key) else { continue };
            let row = serde_json::from_slice(&document).map_err(|error| {
                let reason = format!(
                    "its row can't be read: {error}; rebuild it with `souk replay {}`",
                    P::MODEL.name
                );
                let mut error = Self::poison(Entity::Key(key), &self.first_of(*place), &reason);
                error.poison.can_be_skipped = false;
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

    /// What the batch did, as it is written; what is stored afterwards goes into the cache.
    fn change(
        &mut self,
        rows: Vec<Touched<P::Row>>,
    ) -> Result<(Vec<RowChange>, Vec<SumChange>), ProjectionError> {
        let mut changes = Vec::new();
        let mut sums = Sums::new();
        for (place, Touched { key, before, after }) in rows.into_iter().enumerate() {
            if before != after {
                let written = || {
                    if !P::MODEL.sums.is_empty() {
                        let contributed = |row: &P::Row| P::contributions(&key, row);
                        let (old, new) = (before.as_ref().map(contributed), after.as_ref().map(contributed));
                        add(&mut sums, old, -1);
                        add(&mut sums, new, 1);
                    }
                    after.as_ref().map(|row| (document(row), P::columns(&key, row)))
                };
                let content = caught(written).map_err(|reason| {
                    let culprit = self.culprit(place, &key, before.clone());
                    Self::poison(Entity::Key(key.clone()), &culprit, &reason)
                })?;
                changes.push(RowChange { key: key.clone(), content });
            }
            if let Some(row) = after {
                self.cache.put(key, row);
            }
        }
        // Neighbours in the index are then written one after another.
        changes.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        Ok((changes, felt(sums)))
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
        let mut wanted = Vec::new();
        for recorded in events {
            if let Err(error) = self.note(recorded, &mut wanted) {
                self.drop_plan();
                return Err(error);
            }
        }
        wanted.sort_unstable();
        Ok(wanted)
    }

    fn fold(
        &mut self,
        loaded: Vec<(String, Vec<u8>)>,
        reached: Position,
    ) -> Result<ModelChange, ProjectionError> {
        let mut touched = self.rows_before(loaded)?;
        for Planned { recorded, event, rows } in &self.planned {
            for place in rows {
                let row = &mut touched[*place];
                let before = row.after.take();
                row.after = caught(|| P::project(&row.key, before, event, recorded))
                    .map_err(|reason| Self::poison(Entity::Key(row.key.clone()), recorded, &reason))?;
            }
        }
        let (rows, sums) = self.change(touched)?;
        self.planned.clear();
        self.checkpoint = self.checkpoint.max(reached);
        let (build, from, checkpoint) = (self.build, self.committed, self.checkpoint);
        Ok(ModelChange { build, rows, sums, parking: self.parking.change(), from, checkpoint })
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
            self.parking.wait(parked.poison.entity.clone(), *position);
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
        let mut wanted = Vec::new();
        for recorded in events {
            if let Err(error) = self.note_parked(&parked, recorded, &mut wanted) {
                self.drop_plan();
                return Err(error);
            }
        }
        wanted.sort_unstable();
        Ok(wanted)
    }

    fn keys(&self, event: &RecordedEvent) -> Vec<String> {
        if !self.takes.contains(event.event_type()) {
            return Vec::new();
        }
        self.read(event).ok().flatten().map(|(_, keys)| keys).unwrap_or_default()
    }

    fn is_unreadable(&self, event: &RecordedEvent) -> bool {
        self.takes.contains(event.event_type()) && Self::decoded(event).is_err()
    }
}

fn document<R: serde::Serialize>(row: &R) -> Vec<u8> {
    serde_json::to_vec(row).expect("rows have string keys and no failing serializers")
}

/// Contributors and deltas by sum and key.
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

/// Those sums that change.
fn felt(sums: Sums) -> Vec<SumChange> {
    let is_felt = |(_, (contributors, deltas)): &(_, (i64, Vec<i64>))| {
        *contributors != 0 || deltas.iter().any(|delta| *delta != 0)
    };
    let change = |((sum, key), (contributors, deltas))| SumChange { sum, key, contributors, deltas };
    sums.into_iter().filter(is_felt).map(change).collect()
}

#[cfg(test)]
mod tests;
