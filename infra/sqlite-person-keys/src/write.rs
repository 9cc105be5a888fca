//! Requests of the writer thread. New keys of one batch share a commit; every erasure has its own commit.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use rusqlite::{Connection, Transaction, TransactionBehavior};
use souk_eventsourcing::personal::PersonKey;
use souk_eventsourcing::{KeyRing, KeysUnavailable, Person};
use zeroize::Zeroizing;

use crate::cache::Cache;
use crate::worker::failed;
use crate::{MasterKey, Reply, read};

/// Limit of attempts to truncate the write-ahead log while a reader uses it.
const TRUNCATE_TRIES_MAX: u32 = 100;
/// Wait between two attempts to truncate the write-ahead log.
const TRUNCATE_WAIT: Duration = Duration::from_millis(10);

pub(crate) enum Request {
    Make { people: Vec<Person>, reply: Reply<KeyRing> },
    Erase { person: Person, at: Timestamp, reply: Reply<()> },
    MarkErasure { person: Person, is_complete: bool, reply: Reply<()> },
    Index(Box<dyn FnOnce(&Connection) + Send>),
}

pub(crate) struct Writer {
    pub(crate) connection: Connection,
    pub(crate) master: MasterKey,
    pub(crate) cache: Arc<Cache>,
}

impl Writer {
    pub(crate) fn work(&mut self, requests: Vec<Request>) {
        let mut to_make = Vec::new();
        let mut others = Vec::new();
        for request in requests {
            match request {
                Request::Make { people, reply } => to_make.push((people, reply)),
                other => others.push(other),
            }
        }
        self.make(to_make);
        for request in others {
            // `send` fails only if the caller was cancelled.
            match request {
                Request::Erase { person, at, reply } => drop(reply.send(self.erase(&person, at))),
                Request::MarkErasure { person, is_complete, reply } => {
                    drop(reply.send(self.mark_erasure(&person, is_complete)));
                }
                Request::Index(work) => work(&self.connection),
                Request::Make { .. } => {}
            }
        }
    }

    fn make(&mut self, requests: Vec<(Vec<Person>, Reply<KeyRing>)>) {
        if requests.is_empty() {
            return;
        }
        let mut people: Vec<Person> = requests.iter().flat_map(|(people, _)| people).cloned().collect();
        people.sort();
        people.dedup();
        let erasures = self.cache.erasures();
        let made = self.make_and_commit(&people);
        if let Ok(ring) = &made {
            self.cache.put(erasures, ring);
        }
        for (people, reply) in requests {
            let keys = made.clone().map(|ring| {
                people
                    .into_iter()
                    .filter_map(|person| Some((person.clone(), ring.get(&person)?.clone())))
                    .collect()
            });
            // `send` fails only if the caller was cancelled.
            let _ = reply.send(keys);
        }
    }

    /// Returns the keys of these people and creates the missing ones. The keys are on disk when this returns.
    fn make_and_commit(&mut self, people: &[Person]) -> Result<KeyRing, KeysUnavailable> {
        let of_sqlite = |error: rusqlite::Error| failed(&error);
        let transaction =
            self.connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(of_sqlite)?;
        let mut ring = read::keys(&transaction, &self.master, people)?;
        let missing: Vec<&Person> = people.iter().filter(|person| ring.get(person).is_none()).collect();
        for person in missing {
            if let Some(key) = make_one(&transaction, &self.master, person)? {
                ring.insert(person.clone(), key);
            }
        }
        souk_fail_points::reach("person-keys-before-commit");
        transaction.commit().map_err(of_sqlite)?;
        Ok(ring)
    }

    fn erase(&mut self, person: &Person, at: Timestamp) -> Result<(), KeysUnavailable> {
        let erased = self.destroy(person, at).map_err(|error| failed(&error));
        // Also after a failure: the next request reads the key from the file again.
        self.cache.erase(person);
        erased?;
        souk_fail_points::reach("person-key-destroyed");
        truncate_wal(&self.connection)
    }

    fn destroy(&mut self, person: &Person, at: Timestamp) -> rusqlite::Result<()> {
        let transaction = self.connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        transaction.execute("DELETE FROM person_keys WHERE person = ?1", [person.as_str()])?;
        transaction.execute("DELETE FROM links WHERE person = ?1", [person.as_str()])?;
        let sql = "INSERT INTO erased VALUES (?1, ?2, 0) ON CONFLICT (person) DO NOTHING";
        transaction.execute(sql, (person.as_str(), at.as_microsecond()))?;
        souk_fail_points::reach("person-key-before-erasure");
        transaction.commit()
    }

    fn mark_erasure(&mut self, person: &Person, is_complete: bool) -> Result<(), KeysUnavailable> {
        let sql = "UPDATE erased SET is_settled = ?2 WHERE person = ?1";
        self.connection.execute(sql, (person.as_str(), is_complete)).map(drop).map_err(|error| failed(&error))
    }
}

/// Moves the write-ahead log into the database and truncates it, because it still holds the deleted rows.
pub(crate) fn truncate_wal(connection: &Connection) -> Result<(), KeysUnavailable> {
    for _ in 0..TRUNCATE_TRIES_MAX {
        let is_busy: bool = connection
            .query_row("PRAGMA wal_checkpoint(TRUNCATE)", [], |row| row.get(0))
            .map_err(|error| failed(&error))?;
        if !is_busy {
            return Ok(());
        }
        std::thread::sleep(TRUNCATE_WAIT);
    }
    Err(KeysUnavailable("a reader prevents the truncation of the write-ahead log".to_owned()))
}

/// Creates and stores a new key for a person. Returns `None` if the person is erased.
fn make_one(
    transaction: &Transaction<'_>,
    master: &MasterKey,
    person: &Person,
) -> Result<Option<PersonKey>, KeysUnavailable> {
    if read::is_erased(transaction, person).map_err(|error| failed(&error))? {
        return Ok(None);
    }
    let no_randomness = |error: getrandom::Error| KeysUnavailable(error.to_string());
    let mut bytes = Zeroizing::new([0; 32]);
    getrandom::fill(&mut *bytes).map_err(no_randomness)?;
    let key = PersonKey::new(*bytes);
    let wrapped = master.wrap(person, &key).map_err(no_randomness)?;
    let sql = "INSERT INTO person_keys VALUES (?1, ?2, ?3, unixepoch())";
    let mut insert = transaction.prepare_cached(sql).map_err(|error| failed(&error))?;
    insert.execute((person.as_str(), master.id(), wrapped)).map_err(|error| failed(&error))?;
    Ok(Some(key))
}
