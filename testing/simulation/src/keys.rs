//! The keys of people, in a store that kills don't touch: whoever is not erased has one.

use std::collections::BTreeMap;

use souk_eventsourcing::testkit::{key_of, sealed_but_for};
use souk_eventsourcing::{KeyRing, NewEvent, Person};

#[derive(Default)]
pub(crate) struct Keys {
    /// Who is erased, and whether everybody was told.
    erased: BTreeMap<Person, bool>,
}

impl Keys {
    /// Seals what events hold open.
    pub(crate) fn seal(&self, events: Vec<NewEvent>) -> Vec<NewEvent> {
        sealed_but_for(events, |person| self.is_erased(person))
    }

    /// Destroys a key.
    pub(crate) fn erase(&mut self, person: Person) {
        self.erased.entry(person).or_insert(false);
    }

    pub(crate) fn is_erased(&self, person: &Person) -> bool {
        self.erased.contains_key(person)
    }

    /// Who is erased.
    pub(crate) fn erased(&self) -> impl Iterator<Item = &Person> {
        self.erased.keys()
    }

    /// Whose erasure not everybody was told of.
    pub(crate) fn unsettled(&self) -> Vec<Person> {
        let unsettled = self.erased.iter().filter(|(_, is_settled)| !**is_settled);
        unsettled.map(|(person, _)| person.clone()).collect()
    }

    /// Everybody was told.
    pub(crate) fn settle(&mut self, person: &Person) {
        self.erased.insert(person.clone(), true);
    }

    /// The key of one person, if there is one.
    pub(crate) fn ring_of(&self, person: &Person) -> KeyRing {
        let known = (!self.is_erased(person)).then(|| (person.clone(), key_of(person)));
        known.into_iter().collect()
    }
}
