//! Given events, when a command, then events or a refusal: rules as examples.

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
    KeyRing, KeysUnavailable, Linked, NONCE_BYTES, People, Person, PersonIndex, PersonKey, PersonKeys,
    people, seal,
};
use crate::process::{Input, Output, Process};

/// The time at which examples are decided unless they say otherwise: 2026-11-21T12:00:00Z.
///
/// # Panics
/// Never: the instant is in range.
pub fn noon() -> Timestamp {
    Timestamp::from_second(1_795_262_400).expect("a fixed instant is in range")
}

/// A clock that stands still at noon, whose ids are all the same.
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

/// The context of the `n`-th command of an example.
pub fn context(n: u128, now: Timestamp) -> Context {
    Context { now, command_id: CommandId(Uuid::from_u128(n)) }
}

/// The state after `events`.
pub fn fold<'a, D: Decider>(events: impl IntoIterator<Item = &'a D::Event>) -> D::State {
    events.into_iter().fold(D::State::default(), D::evolve)
}

/// An aggregate that has a history.
pub struct Given<D: Decider> {
    state: D::State,
    now: Timestamp,
}

/// What came of a command.
pub struct Then<D: Decider> {
    result: Result<Vec<D::Event>, D::Rejection>,
}

/// Starts an example with what has happened before.
pub fn given<D: Decider>(events: &[D::Event]) -> Given<D> {
    Given { state: fold::<D>(events), now: noon() }
}

impl<D: Decider> Given<D> {
    /// Decides at another time than noon.
    pub fn at(self, now: Timestamp) -> Self {
        Self { now, ..self }
    }

    /// Asks for something.
    pub fn when(self, command: &D::Command) -> Then<D> {
        Then { result: D::decide(&self.state, command, &context(1, self.now)) }
    }
}

impl<D: Decider> Then<D>
where
    D::Event: PartialEq,
{
    /// These events happen, and no others.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn then(self, expected: &[D::Event]) {
        match self.result {
            Ok(events) => assert_eq!(events, expected),
            Err(rejection) => panic!("refused with `{}`: {rejection}", rejection.code()),
        }
    }

    /// Nothing happens: it is so already.
    #[track_caller]
    pub fn then_nothing(self) {
        self.then(&[]);
    }

    /// It is refused with this code.
    ///
    /// # Panics
    /// When it is not so.
    #[track_caller]
    pub fn then_refused(self, code: &str) {
        match self.result {
            Ok(events) => panic!("expected a refusal with `{code}`, got {events:?}"),
            Err(rejection) => assert_eq!(rejection.code(), code),
        }
    }
}

/// Feeds inputs to a process one after another and returns the outputs that each led to. As in the runtime
/// no move is made while a command has no answer.
pub fn run_process<P: Process>(
    state: &mut P::State,
    inputs: &[Input<P::Event, P::Step>],
    now: Timestamp,
) -> Vec<Vec<Output<P::Step>>> {
    let mut of_each = Vec::new();
    let mut unanswered = 0_usize;
    for input in inputs {
        let mut asked = Vec::new();
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
            *state = P::enter(std::mem::take(state), &decision.made);
            let commands = decision.outputs.iter().filter(|output| matches!(output, Output::Command(_)));
            unanswered += commands.count();
            asked.extend(decision.outputs);
        }
        of_each.push(asked);
    }
    of_each
}

/// The key that a person has in tests: always the same one.
pub fn key_of(person: &Person) -> PersonKey {
    PersonKey::new(*blake3::hash(person.as_str().as_bytes()).as_bytes())
}

/// Seals what events hold open, as on the way into a log, with the keys of tests.
pub fn sealed(events: Vec<NewEvent>) -> Vec<NewEvent> {
    sealed_but_for(events, |_| false)
}

/// Seals like [`sealed`], and writes as erased what tells about somebody who is erased.
pub fn sealed_but_for(mut events: Vec<NewEvent>, is_erased: impl Fn(&Person) -> bool) -> Vec<NewEvent> {
    let People { sealed, copied } = people(&events);
    let known = sealed.into_iter().chain(copied).filter(|person| !is_erased(person));
    let keys: KeyRing = known.map(|person| (person.clone(), key_of(&person))).collect();
    let mut count = 0_u8;
    seal(&mut events, &keys, is_erased, || {
        count = count.wrapping_add(1);
        [count; NONCE_BYTES]
    });
    events
}

/// Keys in memory, for tests of what needs some.
#[derive(Debug, Default)]
pub struct KeysInMemory {
    /// Who is erased, and whether that is settled.
    erased: Mutex<BTreeMap<Person, bool>>,
    index: Mutex<IndexInMemory>,
}

#[derive(Debug, Default)]
struct IndexInMemory {
    /// Aliases by name.
    aliases: BTreeMap<String, String>,
    links: BTreeSet<(String, Person)>,
    /// People who got a key to seal with.
    keyed: BTreeSet<Person>,
    /// Aliases made so far.
    made: u64,
}

impl KeysInMemory {
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
        let found = index.aliases.iter().find(|(_, known)| *known == alias);
        Ok(found.map(|(name, _)| name.clone()))
    }

    async fn make_alias(&self, name: &str) -> Result<String, KeysUnavailable> {
        let mut index = self.index();
        if let Some(alias) = index.aliases.get(name) {
            return Ok(alias.clone());
        }
        index.made += 1;
        let alias = blake3::hash(&index.made.to_be_bytes()).to_hex().to_string();
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
        self.index().aliases.retain(|_, known| known != alias);
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
        let left = of_kind.filter(|person| !erased.contains_key(*person));
        let left = left.filter(|person| after.is_none_or(|after| *person > after));
        Ok(left.map(|person| (person.clone(), noon())).take(limit).collect())
    }

    async fn linked_after(
        &self,
        after: Option<&Linked>,
        limit: usize,
    ) -> Result<Vec<Linked>, KeysUnavailable> {
        let index = self.index();
        let linked = index.links.iter().filter_map(|(name, person)| {
            let alias = index.aliases.get(name)?.clone();
            Some(Linked { name: name.clone(), person: person.clone(), alias })
        });
        Ok(linked.filter(|linked| after.is_none_or(|after| linked > after)).take(limit).collect())
    }
}

#[async_trait]
impl PersonKeys for KeysInMemory {
    async fn to_seal(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable> {
        let ring = self.to_open(people).await?;
        self.index().keyed.extend(ring.iter().map(|(person, _)| person.clone()));
        Ok(ring)
    }

    async fn to_open(&self, people: Vec<Person>) -> Result<KeyRing, KeysUnavailable> {
        let erased = self.erased();
        let known = people.into_iter().filter(|person| !erased.contains_key(person));
        Ok(known.map(|person| (person.clone(), key_of(&person))).collect())
    }

    async fn is_erased(&self, person: &Person) -> Result<bool, KeysUnavailable> {
        Ok(self.erased().contains_key(person))
    }

    async fn erase(&self, person: &Person, _: Timestamp) -> Result<(), KeysUnavailable> {
        self.erased().entry(person.clone()).or_insert(false);
        self.index().links.retain(|(_, linked)| linked != person);
        Ok(())
    }

    async fn unsettled(&self, limit: usize) -> Result<Vec<Person>, KeysUnavailable> {
        let erased = self.erased();
        let unsettled = erased.iter().filter(|(_, is_settled)| !**is_settled);
        Ok(unsettled.map(|(person, _)| person.clone()).take(limit).collect())
    }

    async fn settle(&self, person: &Person) -> Result<(), KeysUnavailable> {
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

    async fn unsettle(&self, person: &Person) -> Result<(), KeysUnavailable> {
        self.erased().insert(person.clone(), false);
        Ok(())
    }
}
