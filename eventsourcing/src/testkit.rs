//! Test kit for domain crates: examples of rules in the form given (events), when (command), then (events or
//! a rejection), and test doubles of ports.
//!
//! Invariant: the time is fixed, and all ids and keys are the same in every run. On failure: an example that
//! does not hold panics at the line of the test.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};

use async_trait::async_trait;
use jiff::Timestamp;
use uuid::Uuid;

use crate::Clock;
use crate::decider::{Context, Decider, Rejection};
use crate::envelope::NewEvent;
use crate::id::CommandId;
use crate::personal::{
    KeyRing, KeysUnavailable, NONCE_BYTES, NameLink, People, Person, PersonIndex, PersonKey, PersonKeys,
    people, seal,
};
use crate::process::{Input, Output, Process};

/// Default time of examples: 2026-11-21T12:00:00Z.
///
/// # Panics
/// Never, since the instant is in the range of [`Timestamp`].
pub fn noon() -> Timestamp {
    Timestamp::from_second(1_795_262_400).expect("a fixed instant is in range")
}

/// Clock that always returns [`noon`] and the nil UUID.
#[derive(Clone, Copy, Debug)]
pub struct Noon;

impl Clock for Noon {
    fn now(&self) -> Timestamp {
        noon()
    }

    fn new_id(&self) -> Uuid {
        Uuid::nil()
    }
}

/// Returns the context of a decision at time `now`, for the command with number `n`.
pub fn context(n: u128, now: Timestamp) -> Context {
    Context { now, command_id: CommandId(Uuid::from_u128(n)) }
}

/// Returns the state of an aggregate after `events`.
pub fn fold<'a, D: Decider>(events: impl IntoIterator<Item = &'a D::Event>) -> D::State {
    events.into_iter().fold(D::State::default(), D::evolve)
}

/// First part of an example: an aggregate with earlier events.
pub struct Given<D: Decider> {
    state: D::State,
    now: Timestamp,
}

/// Last part of an example: the result of a command.
pub struct Then<D: Decider> {
    result: Result<Vec<D::Event>, D::Rejection>,
}

/// Starts an example with the earlier events of an aggregate.
pub fn given<D: Decider>(events: &[D::Event]) -> Given<D> {
    Given { state: fold::<D>(events), now: noon() }
}

impl<D: Decider> Given<D> {
    /// Sets the time of the decision, which is [`noon`] by default.
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    /// Decides a command.
    pub fn when(self, command: &D::Command) -> Then<D> {
        Then { result: D::decide(&self.state, command, &context(1, self.now)) }
    }
}

impl<D: Decider> Then<D>
where
    D::Event: PartialEq,
{
    /// Checks that the command caused exactly these events.
    ///
    /// # Panics
    /// If the command caused other events or was rejected.
    #[track_caller]
    pub fn then(self, expected: &[D::Event]) {
        match self.result {
            Ok(events) => assert_eq!(events, expected),
            Err(rejection) => panic!(
                "expected {expected:?}, but the command was rejected with `{}`: {rejection}",
                rejection.code()
            ),
        }
    }

    /// Checks that the command was accepted and caused no event.
    #[track_caller]
    pub fn then_nothing(self) {
        self.then(&[]);
    }

    /// Checks that the command was rejected with this code.
    ///
    /// # Panics
    /// If the command was accepted, or was rejected with another code.
    #[track_caller]
    pub fn then_refused(self, code: &str) {
        match self.result {
            Ok(events) => panic!("expected a rejection with `{code}`, but the command caused {events:?}"),
            Err(rejection) => assert_eq!(rejection.code(), code),
        }
    }
}

/// Sends inputs to a process one after another. Returns the outputs that each input caused. As in the
/// runtime, the process decides no move while a command has no answer.
pub fn run_process<P: Process>(
    state: &mut P::State,
    inputs: &[Input<P::Event, P::Step>],
    now: Timestamp,
) -> Vec<Vec<Output<P::Step>>> {
    let mut outputs_by_input = Vec::new();
    let mut unanswered = 0_usize;
    for input in inputs {
        let mut outputs = Vec::new();
        if !P::is_ended(state) {
            if matches!(input, Input::Done(_) | Input::Unchanged(_) | Input::Refused { .. }) {
                unanswered = unanswered.saturating_sub(1);
            }
            *state = P::take_in(std::mem::take(state), input);
        }
        while unanswered == 0
            && !P::is_ended(state)
            && let Some(decision) = P::decide(state, now)
        {
            *state = P::enter(std::mem::take(state), &decision.next_move);
            let commands = decision.outputs.iter().filter(|output| matches!(output, Output::Command(_)));
            unanswered += commands.count();
            outputs.extend(decision.outputs);
        }
        outputs_by_input.push(outputs);
    }
    outputs_by_input
}

/// Returns the key of a person in tests. It is derived from the person, and so is the same in every run.
pub fn key_of(person: &Person) -> PersonKey {
    PersonKey::new(*blake3::hash(person.as_str().as_bytes()).as_bytes())
}

/// Seals the open values of events with the keys that [`key_of`] returns. The program seals them before an
/// append too, with its own keys.
pub fn sealed(events: Vec<NewEvent>) -> Vec<NewEvent> {
    sealed_except(events, |_| false)
}

/// Seals like [`sealed`], but marks the values of erased people as erased.
pub fn sealed_except(mut events: Vec<NewEvent>, is_erased: impl Fn(&Person) -> bool) -> Vec<NewEvent> {
    let People { sealed, copied } = people(&events);
    let people_with_key = sealed.into_iter().chain(copied).filter(|person| !is_erased(person));
    let keys: KeyRing = people_with_key.map(|person| (person.clone(), key_of(&person))).collect();
    let mut count = 0_u8;
    seal(&mut events, &keys, is_erased, || {
        count = count.wrapping_add(1);
        [count; NONCE_BYTES]
    });
    events
}

/// Store of keys in memory, for tests.
#[derive(Debug, Default)]
pub struct KeysInMemory {
    /// Erased people; the value is true if all steps of the erasure are done.
    erased: Mutex<BTreeMap<Person, bool>>,
    index: Mutex<IndexInMemory>,
    /// True if the store can't destroy keys.
    is_read_only: bool,
}

#[derive(Debug, Default)]
struct IndexInMemory {
    /// Alias of each name. A name is, for example, the keyed hash of an e-mail address.
    aliases: BTreeMap<String, String>,
    /// Names, each with a person who is found by it.
    links: BTreeSet<(String, Person)>,
    /// People whose key was requested for sealing.
    keyed: BTreeSet<Person>,
    /// Number of aliases that were created.
    alias_count: u64,
}

impl KeysInMemory {
    /// Makes a store that can't destroy keys.
    pub fn read_only() -> Self {
        Self { is_read_only: true, ..Self::default() }
    }

    fn erased(&self) -> MutexGuard<'_, BTreeMap<Person, bool>> {
        self.erased.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn index(&self) -> MutexGuard<'_, IndexInMemory> {
        self.index.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[async_trait]
impl PersonIndex for KeysInMemory {
    async fn alias_of(&self, name: &str) -> Result<Option<String>, KeysUnavailable> {
        Ok(self.index().aliases.get(name).cloned())
    }

    async fn name_of(&self, alias: &str) -> Result<Option<String>, KeysUnavailable> {
        let index = self.index();
        let row = index.aliases.iter().find(|(_, row_alias)| *row_alias == alias);
        Ok(row.map(|(name, _)| name.clone()))
    }

    async fn make_alias(&self, name: &str) -> Result<String, KeysUnavailable> {
        let mut index = self.index();
        if let Some(alias) = index.aliases.get(name) {
            return Ok(alias.clone());
        }
        index.alias_count += 1;
        let alias = blake3::hash(&index.alias_count.to_be_bytes()).to_hex().to_string();
        index.aliases.insert(name.to_owned(), alias.clone());
        Ok(alias)
    }

    async fn adopt_alias(&self, name: &str) -> Result<(), KeysUnavailable> {
        let mut index = self.index();
        if !index.aliases.values().any(|alias| alias == name) {
            index.aliases.entry(name.to_owned()).or_insert_with(|| name.to_owned());
        }
        Ok(())
    }

    async fn delete_alias(&self, alias: &str) -> Result<(), KeysUnavailable> {
        self.index().aliases.retain(|_, row_alias| row_alias != alias);
        Ok(())
    }

    async fn link(&self, links: Vec<(Person, String)>) -> Result<(), KeysUnavailable> {
        let erased = self.erased();
        let links = links.into_iter().filter(|(person, _)| !erased.contains_key(person));
        self.index().links.extend(links.map(|(person, name)| (name, person)));
        Ok(())
    }

    async fn unlink(&self, person: &Person, name: &str) -> Result<(), KeysUnavailable> {
        self.index().links.remove(&(name.to_owned(), person.clone()));
        Ok(())
    }

    async fn keyed_after(
        &self,
        kind: &str,
        after: Option<&Person>,
        limit: usize,
    ) -> Result<Vec<(Person, Timestamp)>, KeysUnavailable> {
        let erased = self.erased().clone();
        let index = self.index();
        let of_kind = index.keyed.iter().filter(|person| person.parts().0 == kind);
        let people = of_kind.filter(|person| !erased.contains_key(*person));
        let people = people.filter(|person| after.is_none_or(|after| *person > after));
        Ok(people.map(|person| (person.clone(), noon())).take(limit).collect())
    }

    async fn linked_after(
        &self,
        after: Option<&NameLink>,
        limit: usize,
    ) -> Result<Vec<NameLink>, KeysUnavailable> {
        let index = self.index();
        let linked = index.links.iter().filter_map(|(name, person)| {
            let alias = index.aliases.get(name)?.clone();
            Some(NameLink { name: name.clone(), person: person.clone(), alias })
        });
        Ok(linked.filter(|linked| after.is_none_or(|after| linked > after)).take(limit).collect())
    }
}

#[async_trait]
impl PersonKeys for KeysInMemory {
    async fn keys_for_sealing(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable> {
        let ring = self.keys_for_opening(people).await?;
        self.index().keyed.extend(ring.iter().map(|(person, _)| person.clone()));
        Ok(ring)
    }

    async fn keys_for_opening(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable> {
        let erased = self.erased();
        let people = people.into_iter().filter(|person| !erased.contains_key(person));
        Ok(people.map(|person| (person.clone(), key_of(&person))).collect())
    }

    async fn is_erased(&self, person: &Person) -> Result<bool, KeysUnavailable> {
        Ok(self.erased().contains_key(person))
    }

    async fn erase(&self, person: &Person, _: Timestamp) -> Result<(), KeysUnavailable> {
        if self.is_read_only {
            return Err(KeysUnavailable("read-only".to_owned()));
        }
        self.erased().entry(person.clone()).or_insert(false);
        self.index().links.retain(|(_, linked)| linked != person);
        Ok(())
    }

    async fn incomplete_erasures(&self, limit: usize) -> Result<Vec<Person>, KeysUnavailable> {
        let erased = self.erased();
        let incomplete = erased.iter().filter(|(_, is_complete)| !**is_complete);
        Ok(incomplete.map(|(person, _)| person.clone()).take(limit).collect())
    }

    async fn complete_erasure(&self, person: &Person) -> Result<(), KeysUnavailable> {
        self.erased().insert(person.clone(), true);
        Ok(())
    }

    async fn erased_after(&self, name: &str, limit: usize) -> Result<Vec<Person>, KeysUnavailable> {
        let mut people: Vec<Person> =
            self.erased().keys().filter(|person| person.as_str() > name).cloned().collect();
        people.sort();
        people.truncate(limit);
        Ok(people)
    }

    async fn reopen_erasure(&self, person: &Person) -> Result<(), KeysUnavailable> {
        self.erased().insert(person.clone(), false);
        Ok(())
    }
}
