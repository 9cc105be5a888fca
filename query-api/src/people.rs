//! Keys that open sealed personal data in responses.

use std::collections::HashSet;

use souk_eventsourcing::{KeyRing, Person};
use souk_http::Problem;
use souk_projections::orders::OrderRow;

use crate::database::QueryState;

/// Loads the keys of these people.
pub(crate) async fn keys_of(
    state: &QueryState,
    people: impl IntoIterator<Item = Person>,
) -> Result<KeyRing, Problem> {
    let mut people: Vec<Person> = people.into_iter().collect();
    people.sort();
    people.dedup();
    if people.is_empty() {
        return Ok(KeyRing::default());
    }
    Ok(state.ports.people.keys_for_opening(people).await?)
}

/// Keys that open the personal data of some orders. For a person without a key, it also knows if the key was
/// destroyed by an erasure, or is missing for another reason.
pub(crate) struct OrderKeys {
    pub(crate) keys: KeyRing,
    erased: HashSet<Person>,
}

impl OrderKeys {
    /// Loads the keys for these orders.
    pub(crate) async fn of(
        state: &QueryState,
        orders: impl Iterator<Item = &OrderRow> + Clone,
    ) -> Result<Self, Problem> {
        let keys = keys_of(state, orders.clone().flat_map(OrderRow::people)).await?;
        let mut erased = HashSet::new();
        for person in orders.filter_map(OrderRow::person_of_address) {
            if keys.get(person).is_none()
                && !erased.contains(person)
                && state.ports.people.is_erased(person).await?
            {
                erased.insert(person.clone());
            }
        }
        Ok(Self { keys, erased })
    }

    /// Returns true if a person has no key because the person was erased.
    pub(crate) fn is_erased(&self, person: &Person) -> bool {
        self.erased.contains(person)
    }
}
