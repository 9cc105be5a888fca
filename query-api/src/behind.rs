//! Rows that stand behind the others because their entity is parked.

use std::collections::BTreeMap;
use std::sync::Arc;

use souk_eventsourcing::Position;
use souk_eventsourcing::parking::{Entity, Parked, ParkingChange};

/// What is parked, by read model. Mostly nothing.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Behind {
    models: BTreeMap<&'static str, Vec<Parked>>,
}

impl Behind {
    /// What is parked in a model.
    pub fn set(&mut self, model: &'static str, parked: &[Parked]) {
        if parked.is_empty() {
            self.models.remove(model);
        } else {
            self.models.insert(model, parked.to_vec());
        }
    }

    /// What changed in a model.
    pub fn change(&mut self, model: &'static str, change: &ParkingChange) {
        if change.parked.is_empty() && change.released.is_empty() {
            return;
        }
        let mut parked = self.parked(model);
        let is_of = |parked: &Parked, others: &[Parked]| {
            others.iter().any(|other| other.poison.entity == parked.poison.entity)
        };
        parked.retain(|parked| !is_of(parked, &change.released) && !is_of(parked, &change.parked));
        parked.extend(change.parked.iter().cloned());
        self.set(model, &parked);
    }

    /// What is parked in a model.
    pub fn parked(&self, model: &str) -> Vec<Parked> {
        self.models.get(model).cloned().unwrap_or_default()
    }

    /// Replaces what is shown, when that is something else.
    pub fn show_in(&self, shown: &mut Arc<Self>) -> bool {
        let is_other = **shown != *self;
        if is_other {
            *shown = Arc::new(self.clone());
        }
        is_other
    }

    /// Whether nothing is parked.
    pub(crate) fn is_empty(&self) -> bool {
        self.models.is_empty()
    }

    /// How many entities of these models are parked.
    pub(crate) fn count(&self, models: &[&str]) -> usize {
        models.iter().filter_map(|model| self.models.get(model)).map(Vec::len).sum()
    }

    /// The position from which on rows of these models lack events, for a key or the keys that begin with
    /// it and a colon.
    pub(crate) fn since(&self, models: &[&str], key: &str) -> Option<Position> {
        let is_of = |known: &str| {
            known.strip_prefix(key).is_some_and(|rest| rest.is_empty() || rest.starts_with(':'))
        };
        let holds = |parked: &&Parked| {
            let of_stream = match &parked.poison.entity {
                Entity::Stream(stream) => stream.id() == key,
                Entity::Key(_) => false,
            };
            of_stream || parked.keys.iter().any(|known| is_of(known))
        };
        let parked = models.iter().filter_map(|model| self.models.get(model)).flatten();
        parked.filter(holds).map(|parked| parked.poison.position).min()
    }
}
