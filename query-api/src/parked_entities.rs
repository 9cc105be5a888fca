//! Parked entities of the read models. A parked entity takes no more events until an operator retries or
//! skips the event that could not be applied, so its rows lack the events since then.

use std::collections::BTreeMap;
use std::sync::Arc;

use souk_eventsourcing::Position;
use souk_eventsourcing::parking::{Entity, Parked, ParkingChange};

/// Parked entities by read model. Usually empty.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ParkedEntities {
    models: BTreeMap<&'static str, Vec<Parked>>,
}

impl ParkedEntities {
    /// Replaces the parked entities of a read model.
    pub fn set(&mut self, model: &'static str, parked: &[Parked]) {
        if parked.is_empty() {
            self.models.remove(model);
        } else {
            self.models.insert(model, parked.to_vec());
        }
    }

    /// Adds the entities that a read model has parked, and removes those that it has released.
    pub fn change(&mut self, model: &'static str, change: &ParkingChange) {
        if change.parked.is_empty() && change.released.is_empty() {
            return;
        }
        let mut parked = self.parked(model);
        let is_among = |parked: &Parked, others: &[Parked]| {
            others.iter().any(|other| other.failure.entity == parked.failure.entity)
        };
        parked.retain(|parked| !is_among(parked, &change.released) && !is_among(parked, &change.parked));
        parked.extend(change.parked.iter().cloned());
        self.set(model, &parked);
    }

    /// Returns the parked entities of a read model.
    pub fn parked(&self, model: &str) -> Vec<Parked> {
        self.models.get(model).cloned().unwrap_or_default()
    }

    /// Copies these entities to `shown` if they differ from it. Returns true if they differed.
    pub fn copy_if_changed(&self, shown: &mut Arc<Self>) -> bool {
        let is_changed = **shown != *self;
        if is_changed {
            *shown = Arc::new(self.clone());
        }
        is_changed
    }

    /// Returns true if no entity is parked.
    pub(crate) fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// Number of parked entities in these read models.
    pub(crate) fn count(&self, models: &[&str]) -> usize {
        models.iter().filter_map(|model| self.models.get(model)).map(Vec::len).sum()
    }

    /// Returns the first log position that a row of these read models lacks. Rows match if their key is
    /// `key`, or begins with `key` and a colon. None if no such row is parked.
    pub(crate) fn since(&self, models: &[&str], key: &str) -> Option<Position> {
        let matches_key = |parked_key: &str| {
            parked_key.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        let matches = |parked: &&Parked| {
            let is_stream = match &parked.failure.entity {
                Entity::Stream(stream) => stream.id() == key,
                Entity::Key(_) => false,
            };
            is_stream || parked.keys.iter().any(|parked_key| matches_key(parked_key))
        };
        let parked = models.iter().filter_map(|model| self.models.get(model)).flatten();
        parked.filter(matches).map(|parked| parked.failure.position).min()
    }
}
