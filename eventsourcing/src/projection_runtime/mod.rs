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
    #[error("row `{key}` of read model {model} can't be read: {reason}; rebuild it with `souk replay {model}`")]
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
pub trait ErasedProjector: Send {
    /// The model.
    fn model(&self) -> &'static Model;
    /// How far it is.
    fn checkpoint(&self) -> Position;
    /// Sets how far the stored model is.
    fn start_at(&mut self, checkpoint: Position);
    /// Decodes a batch; returns the keys of the rows that must be loaded for it.
    fn plan(&mut self, events: &[RecordedEvent]) -> Result<Vec<String>, ProjectionError>;
    /// Folds the planned batch. `loaded` are those rows that are stored; `reached` is how far the log
    /// was looked at.
    fn fold(
        &mut self,
        loaded: Vec<(String, Vec<u8>)>,
        reached: Position,
    ) -> Result<ModelChange, ProjectionError>;
    /// Drops everything in memory, after a commit that failed.
    fn forget(&mut self);
}

/// Folds the events that a projector takes.
pub struct ProjectorFold<P: Projector> {
    takes: HashSet<&'static str>,
    checkpoint: Position,
    /// Before the planned batch.
    previous_checkpoint: Position,
    cache: LruCache<String, P::Row>,
    planned: Vec<Planned<P>>,
}

struct Planned<P: Projector> {
    recorded: RecordedEvent,
    event: P::Event,
    keys: Vec<String>,
}

/// A row before and after a batch.
struct Touched<R> {
    before: Option<R>,
    after: Option<R>,
}

impl<P: Projector> ProjectorFold<P> {
    /// At the log's start, as a driver holds it.
    pub fn boxed() -> Box<dyn ErasedProjector> {
        Box::new(Self {
            takes: P::takes().into_iter().collect(),
            checkpoint: Position::START,
            previous_checkpoint: Position::START,
            cache: LruCache::new(CACHE_ROWS_MAX),
            planned: Vec::new(),
        })
    }

    fn rows_before(
        &mut self,
        loaded: Vec<(String, Vec<u8>)>,
    ) -> Result<HashMap<String, Touched<P::Row>>, ProjectionError> {
        let mut rows = HashMap::with_capacity(loaded.len());
        for (key, document) in loaded {
            let row: P::Row = serde_json::from_slice(&document).map_err(|error| ProjectionError::Row {
                model: P::MODEL.name,
                key: key.clone(),
                reason: error.to_string(),
            })?;
            rows.insert(key, Touched { before: Some(row.clone()), after: Some(row) });
        }
        for key in self.planned.iter().flat_map(|planned| &planned.keys) {
            if !rows.contains_key(key) {
                let row = self.cache.get(key).cloned();
                rows.insert(key.clone(), Touched { before: row.clone(), after: row });
            }
        }
        Ok(rows)
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
        self.previous_checkpoint = checkpoint;
    }

    fn plan(&mut self, events: &[RecordedEvent]) -> Result<Vec<String>, ProjectionError> {
        self.planned.clear();
        let mut wanted = HashSet::new();
        for recorded in events {
            if recorded.position <= self.checkpoint || !self.takes.contains(recorded.event_type()) {
                continue;
            }
            let event = P::read(recorded).map_err(|error| ProjectionError::Undecodable {
                model: P::MODEL.name,
                stream: recorded.stream.clone(),
                revision: recorded.revision,
                error,
            })?;
            let Some(event) = event else { continue };
            let keys = P::keys(&event, recorded);
            wanted.extend(keys.iter().filter(|key| !self.cache.contains(*key)).cloned());
            self.planned.push(Planned { recorded: recorded.clone(), event, keys });
        }
        Ok(wanted.into_iter().collect())
    }

    fn fold(
        &mut self,
        loaded: Vec<(String, Vec<u8>)>,
        reached: Position,
    ) -> Result<ModelChange, ProjectionError> {
        let mut rows = self.rows_before(loaded)?;
        for Planned { recorded, event, keys } in self.planned.drain(..) {
            for key in keys {
                let Some(row) = rows.get_mut(&key) else { continue };
                row.after = P::project(&key, row.after.take(), &event, &recorded);
            }
        }
        let mut changes = Vec::new();
        let mut sums = BTreeMap::new();
        for (key, Touched { before, after }) in rows {
            if before == after {
                continue;
            }
            if !P::MODEL.sums.is_empty() {
                let contributed = |row: &Option<P::Row>| {
                    row.as_ref().map(|row| P::contributions(&key, row)).unwrap_or_default()
                };
                add(&mut sums, contributed(&before), -1);
                add(&mut sums, contributed(&after), 1);
            }
            let content = after.as_ref().map(|row| {
                let document = serde_json::to_vec(row).expect("rows have string keys and no failing serializers");
                (document, P::columns(&key, row))
            });
            match after {
                Some(row) => drop(self.cache.put(key.clone(), row)),
                None => drop(self.cache.pop(&key)),
            }
            changes.push(RowChange { key, content });
        }
        // Neighbours in the index are then written one after another.
        changes.sort_by(|one, other| one.key.cmp(&other.key));
        self.previous_checkpoint = self.checkpoint;
        self.checkpoint = self.checkpoint.max(reached);
        let sums = sums.into_values().filter(is_felt).collect();
        Ok(ModelChange { model: self.model(), rows: changes, sums, checkpoint: self.checkpoint })
    }

    fn forget(&mut self) {
        self.cache.clear();
        self.planned.clear();
        self.checkpoint = self.previous_checkpoint;
    }
}

fn add(sums: &mut BTreeMap<(&'static str, String), SumChange>, contributions: Vec<Contribution>, sign: i64) {
    for Contribution { sum, key, deltas } in contributions {
        let empty = || SumChange { sum, key: key.clone(), contributors: 0, deltas: vec![0; deltas.len()] };
        let change = sums.entry((sum, key.clone())).or_insert_with(empty);
        change.contributors += sign;
        for (total, delta) in change.deltas.iter_mut().zip(deltas) {
            *total += sign * delta;
        }
    }
}

fn is_felt(change: &SumChange) -> bool {
    change.contributors != 0 || change.deltas.iter().any(|delta| *delta != 0)
}

#[cfg(test)]
mod tests;
