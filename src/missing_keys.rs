//! Looks for people whose personal data the log holds under seal and whose keys are not there, although nobody erased
//! them: after a restore without `person-keys.sqlite`, or with an older one. Their data reads as erased, and they can't
//! sign in, so a shop does not open like this unless it is told to go on.
//!
//! The store of keys notes up to which position of the log it is complete, so a start looks at what came after that
//! alone: at nothing after a graceful stop, at the last minute after a crash, and at the whole log once, after a restore.

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

/// People that a message names.
const NAMED_MAX: usize = 5;

/// Why a shop does not start.
#[derive(Debug, thiserror::Error)]
pub enum CheckError {
    /// Keys are missing.
    #[error(transparent)]
    Missing(#[from] KeysMissing),
    /// The store of keys can't be read.
    #[error(transparent)]
    Keys(#[from] KeysUnavailable),
    /// The log can't be read.
    #[error(transparent)]
    Log(#[from] StoreError),
}

/// People whose keys are missing.
#[derive(Debug, thiserror::Error)]
#[error(
    "keys-missing: the log holds personal data of {} and {} ({named}) whose \
     keys are not in {}; nobody erased them. {state}: stop here and put the newest copy there (`souk keys backup FILE` \
     makes one), with the master key that it is wrapped by. If there is none, `souk serve --without-keys` \
     (SOUK_WITHOUT_KEYS=true) goes on: what they entered stays unreadable, their orders can't be shipped before they get \
     an address, and an admin frees the e-mail address of an account by DELETE /api/users/ID", counted(*.customers, "customer", "customers"),
    counted(*.guests, "guest's order", "guests' orders"), .path.display()
)]
pub struct KeysMissing {
    /// The file of the store.
    path: PathBuf,
    customers: usize,
    guests: usize,
    named: String,
    state: &'static str,
}

/// The store of keys, as it is held against a log.
#[derive(Clone)]
pub struct Completeness {
    keys: Arc<SqlitePersonKeys>,
    log: String,
}

impl Completeness {
    /// A store of keys beside a log of a lineage.
    pub fn new(keys: Arc<SqlitePersonKeys>, lineage: Uuid) -> Self {
        Self { keys, log: lineage.to_string() }
    }

    /// Notes that every key of an event up to a position is on disk: keys are, before the event is appended.
    pub async fn note(&self, up_to: Position) -> Result<(), KeysUnavailable> {
        self.keys.note_complete(&self.log, up_to).await
    }

    /// Refuses a log with personal data whose keys are missing, unless told to go on without them.
    pub async fn check(&self, log: &dyn EventStore, folder: &Path, goes_on: bool) -> Result<(), CheckError> {
        let after = self.keys.complete_up_to(&self.log).await?;
        let missing = missing(log, after, Some(&self.keys)).await?;
        // With the key of nobody the store is new: `check_without_store` was told to go on.
        refuse(&missing, folder, "The file is older than the log", goes_on)?;
        Ok(self.note(log.head().await?).await?)
    }
}

/// The same for a folder without a store of keys, before one is made.
pub async fn check_without_store(
    log: &dyn EventStore,
    folder: &Path,
    goes_on: bool,
) -> Result<(), CheckError> {
    let missing = missing(log, Position::START, None).await?;
    Ok(refuse(&missing, folder, "There is no such file", goes_on)?)
}

fn counted(count: usize, one: &str, more: &str) -> String {
    if count == 1 { format!("1 {one}") } else { format!("{count} {more}") }
}

fn refuse(
    missing: &BTreeSet<Person>,
    folder: &Path,
    state: &'static str,
    goes_on: bool,
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
    if goes_on {
        tracing::warn!("the shop was told to go on: {missing}");
        return Ok(());
    }
    Err(missing)
}

/// People of whom the log holds something under seal behind a position, without a key, and of whom neither the log nor
/// the store says that they are erased.
async fn missing(
    log: &dyn EventStore,
    mut after: Position,
    keys: Option<&SqlitePersonKeys>,
) -> Result<BTreeSet<Person>, CheckError> {
    let head = log.head().await?;
    let mut missing = BTreeSet::new();
    let mut gone = HashSet::new();
    while after < head {
        let page = log.read_all(after, READ_EVENTS_MAX, &Filter::all()).await?;
        let mut people = BTreeSet::new();
        for event in &page.events {
            gone.extend(forgotten_by(event));
            people.extend(sealed_people(&event.event.data).filter(may_miss));
        }
        let people: Vec<Person> = people.into_iter().filter(|person| !missing.contains(person)).collect();
        missing.extend(match keys {
            Some(keys) => keys.missing(people).await?,
            None => people,
        });
        after = page.reached;
    }
    missing.retain(|person| !gone.contains(person));
    Ok(missing)
}

/// The key of an address that an erased buyer's order got later is destroyed when the order ends, and no event says
/// so. An order that has not ended can't be shipped without it, so nothing is lost unnoticed.
fn may_miss(person: &Person) -> bool {
    person.parts().0 != OrderId::READDRESSED
}

/// The person whose key an event says is destroyed: somebody who was erased, or the guest whose order is a customer's
/// now. An event that can't be read says nothing.
fn forgotten_by(event: &RecordedEvent) -> Option<Person> {
    if event.event_type() == "order.attached" && event.stream.category() == Order::CATEGORY {
        let attached = event.decode().ok().filter(|event| matches!(event, OrderEvent::Attached(_)));
        let order = event.stream.id().parse().map(OrderId).ok();
        return attached.and(order).map(OrderId::guest);
    }
    let is_erasure = ErasedPeople::takes().contains(&event.event_type());
    is_erasure.then(|| ErasedPeople::read(event).ok().flatten()).flatten()
}
