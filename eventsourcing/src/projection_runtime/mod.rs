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
use crate::id::{Position, Revision, StreamName};
use crate::payload::DecodeError;
use crate::projector::{Contribution, Model, ModelChange, Projector, RowChange, SumChange};

/// Rows that a model keeps in memory, decoded.
pub const CACHE_ROWS_MAX: NonZeroUsize = NonZeroUsize::new(8_192).expect("not zero");

/// Why a batch can't be folded.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ProjectionError {
    /// An event doesn't decode.
    #[error("read model {model} can't read {stream} at revision {revision}: {error}")]
    Undecodable {
        /// The model.
        model: &'static str,
        /// The event's stream.
        stream: StreamName,
        /// The event's revision.
        revision: Revision,
        /// What is wrong with it.
        error: DecodeError,
    },
    /// A stored row doesn't decode.
    #[error(
        "row `{key}` of read model {model} can't be read: {reason}; rebuild it with `souk replay {model}`"
    )]
    Row {
        /// The model.
        model: &'static str,
        /// The row.
        key: String,
        /// What is wrong with it.
        reason: String,
    },
}

/// A projector of any model, with what it folds into.
///
/// A batch is `plan`, load, `fold`, commit. When any of these fails, [`ErasedProjector::forget`] puts it
/// back to where it was before the batch; a further `plan` takes it that the last change was committed.
pub trait ErasedProjector: Send {
    /// The model.
    fn model(&self) -> &'static Model;
    /// How far it is.
    fn checkpoint(&self) -> Position;
    /// Sets how far the stored model is.
    fn start_at(&mut self, checkpoint: Position);
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
    /// Drops everything in memory and the batch that was not committed.
    fn forget(&mut self);
}

/// Folds the events that a projector takes.
pub struct ProjectorFold<P: Projector> {
    takes: HashSet<&'static str>,
    /// How far it has folded.
    checkpoint: Position,
    /// How far the stored model is, as far as is known.
    committed: Position,
    /// Rows as they are stored. A row that is not there is never remembered as missing.
    cache: LruCache<String, P::Row>,
    planned: Vec<Planned<P>>,
    /// The keys that the planned batch touches, numbered in the order of their first touch.
    places: HashMap<String, usize>,
}

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
        let event = P::read(recorded).map_err(|error| ProjectionError::Undecodable {
            model: P::MODEL.name,
            stream: recorded.stream.clone(),
            revision: recorded.revision,
            error,
        })?;
        let Some(event) = event else { return Ok(()) };
        let mut keys = P::keys(&event, recorded);
        if keys.len() > 1 {
            // An event happens to a row once, however often it names it.
            keys.sort_unstable();
            keys.dedup();
        }
        let rows = keys.into_iter().map(|key| self.place(key, wanted)).collect();
        self.planned.push(Planned { recorded: recorded.clone(), event, rows });
        Ok(())
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
            let row = serde_json::from_slice(&document).map_err(|error| ProjectionError::Row {
                model: P::MODEL.name,
                key,
                reason: error.to_string(),
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
    fn change(&mut self, rows: Vec<Touched<P::Row>>) -> (Vec<RowChange>, Vec<SumChange>) {
        let mut changes = Vec::new();
        let mut sums = Sums::new();
        for Touched { key, before, after } in rows {
            if before != after {
                if !P::MODEL.sums.is_empty() {
                    let contributed = |row: &P::Row| P::contributions(&key, row);
                    add(&mut sums, before.as_ref().map(contributed), -1);
                    add(&mut sums, after.as_ref().map(contributed), 1);
                }
                let content = after.as_ref().map(|row| (document(row), P::columns(&key, row)));
                changes.push(RowChange { key: key.clone(), content });
            }
            if let Some(row) = after {
                self.cache.put(key, row);
            }
        }
        // Neighbours in the index are then written one after another.
        changes.sort_unstable_by(|one, other| one.key.cmp(&other.key));
        (changes, felt(sums))
    }
}

impl<P: Projector> ErasedProjector for ProjectorFold<P> {
    fn model(&self) -> &'static Model {
        const { &P::MODEL }
    }

    fn checkpoint(&self) -> Position {
        self.checkpoint
    }

    fn start_at(&mut self, checkpoint: Position) {
        self.checkpoint = checkpoint;
        self.committed = checkpoint;
    }

    fn plan(&mut self, events: &[RecordedEvent]) -> Result<Vec<String>, ProjectionError> {
        self.drop_plan();
        self.committed = self.checkpoint;
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
        for Planned { recorded, event, rows } in self.planned.drain(..) {
            for place in rows {
                let row = &mut touched[place];
                row.after = P::project(&row.key, row.after.take(), &event, &recorded);
            }
        }
        let (rows, sums) = self.change(touched);
        self.checkpoint = self.checkpoint.max(reached);
        Ok(ModelChange { model: self.model(), rows, sums, checkpoint: self.checkpoint })
    }

    fn forget(&mut self) {
        self.cache.clear();
        self.drop_plan();
        self.checkpoint = self.committed;
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
