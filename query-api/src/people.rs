//! Opening what is under seal, for those who may see it.

use std::collections::HashSet;

use souk_eventsourcing::{KeyRing, Person};
use souk_http::Problem;
use souk_projections::orders::OrderRow;

use crate::database::QueryState;

/// The keys of these people; nobody's when there is nobody.
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
    Ok(state.beside.people.to_open(people).await?)
}

/// The keys that open orders, and the people without one who are erased: a key that is only missing is told apart from
/// one that was destroyed.
pub(crate) struct OrderKeys {
    pub(crate) keys: KeyRing,
    erased: HashSet<Person>,
}

impl OrderKeys {
    /// Of these orders.
    pub(crate) async fn of(
        state: &QueryState,
        orders: impl Iterator<Item = &OrderRow> + Clone,
    ) -> Result<Self, Problem> {
        let keys = keys_of(state, orders.clone().flat_map(OrderRow::people)).await?;
        let mut erased = HashSet::new();
        for person in orders.filter_map(OrderRow::person_of_address) {
            if keys.get(person).is_none()
                && !erased.contains(person)
                && state.beside.people.is_erased(person).await?
            {
                erased.insert(person.clone());
            }
        }
        Ok(Self { keys, erased })
    }

    /// Returns true if a person has no key because they were erased.
    pub(crate) fn is_erased(&self, person: &Person) -> bool {
        self.erased.contains(person)
    }
}
