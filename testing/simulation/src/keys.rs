//! Store of the keys of people. It survives kills. Every person who is not erased has a key.

use std::collections::BTreeMap;

use souk_eventsourcing::testkit::{key_of, sealed_except};
use souk_eventsourcing::{KeyRing, NewEvent, Person};

#[derive(Default)]
pub(crate) struct Keys {
    /// Erased people; true if the erasure is complete.
    erased: BTreeMap<Person, bool>,
}

impl Keys {
    /// Seals the open personal values of events.
    pub(crate) fn seal(&self, events: Vec<NewEvent>) -> Vec<NewEvent> {
        sealed_except(events, |person| self.is_erased(person))
    }

    /// Destroys the key of a person.
    pub(crate) fn erase(&mut self, person: Person) {
        self.erased.entry(person).or_insert(false);
    }

    pub(crate) fn is_erased(&self, person: &Person) -> bool {
        self.erased.contains_key(person)
    }

    /// Returns all erased people.
    pub(crate) fn erased(&self) -> impl Iterator<Item = &Person> {
        self.erased.keys()
    }

    /// Returns the people whose erasure is not complete.
    pub(crate) fn incomplete_erasures(&self) -> Vec<Person> {
        let incomplete = self.erased.iter().filter(|(_, is_complete)| !**is_complete);
        incomplete.map(|(person, _)| person.clone()).collect()
    }

    /// Marks the erasure of a person as complete.
    pub(crate) fn complete_erasure(&mut self, person: &Person) {
        self.erased.insert(person.clone(), true);
    }

    /// Returns a key ring with the key of a person; empty if the person is erased.
    pub(crate) fn ring_of(&self, person: &Person) -> KeyRing {
        let key = (!self.is_erased(person)).then(|| (person.clone(), key_of(person)));
        key.into_iter().collect()
    }
}
