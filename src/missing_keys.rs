//! Check for missing keys of people. The log contains encrypted personal data, and a key may be missing
//! although nobody erased the person: after a restore without `person-keys.sqlite`, or with an older copy.
//! Such data looks erased, and these people can't sign in. So the shop does not start, unless the
//! configuration allows it.
//!
//! The store of keys records up to which position of the log it is complete. So a start checks only the later
//! events: none after a graceful stop, those of the last minute after a crash, and the whole log after a
//! restore.

use std::collections::{BTreeSet, HashSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use souk_domain::OrderId;
use souk_domain::order::{Order, OrderEvent};
use souk_eventsourcing::personal::sealed_people;
use souk_eventsourcing::projector::Projector as _;
use souk_eventsourcing::store::READ_EVENTS_MAX;
use souk_eventsourcing::{
    Decider as _, EventStore, Filter, KeysUnavailable, Person, Position, RecordedEvent, StoreError,
};
use souk_projections::erased_people::ErasedPeople;
use souk_sqlite_person_keys::{PERSON_KEYS_FILE, SqlitePersonKeys};
use uuid::Uuid;

/// Maximum number of people that a message names.
const NAMED_MAX: usize = 5;

/// Reason why the check fails.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Keys of people are missing.
    #[error(transparent)]
    Missing(#[from] KeysMissing),
    /// The store of keys can't be read.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] StoreError),
}

/// Error with the people whose keys are missing.
#[derive(Debug, thiserror::Error)]
#[error(
    "keys-missing: the log contains personal data of {} and {} ({named}), but their keys are not in {}, and nobody \
    erased them. {state}. Put the newest copy of the file there (`souk keys backup FILE` makes copies), with the \
    master key that encrypts it. If there is no copy, start with `souk serve --without-keys` \
    (SOUK_WITHOUT_KEYS=true): then the personal data stays unreadable, the orders can't be shipped until they get a \
    new address, and an administrator can free the e-mail address of an account with DELETE /api/users/ID",
    counted(*.customers, "customer", "customers"), counted(*.guests, "guest order", "guest orders"), .path.display()
)]
pub struct KeysMissing {
    /// Path of the store of keys.
    path: PathBuf,
    customers: usize,
    guests: usize,
    named: String,
    state: &'static str,
}

/// Record of the position up to which the store of keys is complete for a log.
#[derive(Clone)]
pub struct Completeness {
    keys: Arc<SqlitePersonKeys>,
    log: String,
}

impl Completeness {
    /// Creates the record for a store of keys and a log. `lineage` identifies the log.
    pub fn new(keys: Arc<SqlitePersonKeys>, lineage: Uuid) -> Self {
        Self { keys, log: lineage.to_string() }
    }

    /// Records that the keys of all events up to a position are on disk. This holds for every position of the
    /// log, because keys are written before the events are appended.
    pub async fn record(&self, up_to: Position) -> Result<(), KeysUnavailable> {
        self.keys.note_complete(&self.log, up_to).await
    }

    /// Fails if the log contains personal data whose keys are missing. With `is_allowed`, only logs a
    /// warning.
    pub async fn check(
        &self,
        log: &impl EventStore,
        folder: &Path,
        is_allowed: bool,
    ) -> Result<(), CheckError> {
        let after = self.keys.complete_up_to(&self.log).await?;
        let missing = missing(log, after, Some(&self.keys)).await?;
        refuse(&missing, folder, "The file is older than the log", is_allowed)?;
        Ok(self.record(log.head().await?).await?)
    }
}

/// Checks a folder without a store of keys, before a new store is created. Fails if the log contains personal
/// data. With `is_allowed`, only logs a warning.
pub async fn check_without_store(
    log: &impl EventStore,
    folder: &Path,
    is_allowed: bool,
) -> Result<(), CheckError> {
    let missing = missing(log, Position::START, None).await?;
    Ok(refuse(&missing, folder, "The file does not exist", is_allowed)?)
}

fn counted(count: usize, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}

fn refuse(
    missing: &BTreeSet<Person>,
    folder: &Path,
    state: &'static str,
    is_allowed: bool,
) -> Result<(), KeysMissing> {
    if missing.is_empty() {
        return Ok(());
    }
    let customers = missing.iter().filter(|person| person.parts().0 == "customer").count();
    let mut named: Vec<&str> = missing.iter().take(NAMED_MAX).map(Person::as_str).collect();
    if missing.len() > NAMED_MAX {
        named.push("…");
    }
    let missing = KeysMissing {
        path: folder.join(PERSON_KEYS_FILE),
        customers,
        guests: missing.len() - customers,
        named: named.join(", "),
        state,
    };
    if is_allowed {
        tracing::warn!("the shop starts although keys are missing: {missing}");
        return Ok(());
    }
    Err(missing)
}

/// Returns the people with encrypted data after a position of the log who have no key, and who are not erased
/// according to the log or the store.
async fn missing(
    log: &impl EventStore,
    mut after: Position,
    keys: Option<&SqlitePersonKeys>,
) -> Result<BTreeSet<Person>, CheckError> {
    let head = log.head().await?;
    let mut missing = BTreeSet::new();
    let mut without_key = HashSet::new();
    while after < head {
        let page = log.read_all(after, READ_EVENTS_MAX, &Filter::all()).await?;
        let mut people = BTreeSet::new();
        for event in &page.events {
            without_key.extend(key_destroyed_by(event));
            people.extend(sealed_people(&event.event.data).filter(needs_key));
        }
        let people: Vec<Person> = people.into_iter().filter(|person| !missing.contains(person)).collect();
        missing.extend(match keys {
            Some(keys) => keys.missing(people).await?,
            None => people,
        });
        after = page.reached;
    }
    missing.retain(|person| !without_key.contains(person));
    Ok(missing)
}

/// Returns false for the new address of an erased buyer's order. Its key is destroyed when the order ends,
/// and no event records that. If the order has not ended, it can't be shipped without the key, so somebody
/// will notice.
fn needs_key(person: &Person) -> bool {
    person.parts().0 != OrderId::READDRESSED
}

/// Returns the person whose key was destroyed according to the event: an erased person, or the guest of an
/// order that was attached to a customer. Returns `None` for an unreadable event.
fn key_destroyed_by(event: &RecordedEvent) -> Option<Person> {
    if event.event_type() == "order.attached" && event.stream.category() == Order::CATEGORY {
        let attached = event.decode().ok().filter(|event| matches!(event, OrderEvent::Attached(_)));
        let order = OrderId::parse(event.stream.id()).ok();
        return attached.and(order).map(OrderId::guest);
    }
    let is_erasure = ErasedPeople::event_types().contains(&event.event_type());
    is_erasure.then(|| ErasedPeople::read(event).ok().flatten()).flatten()
}
