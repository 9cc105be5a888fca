//! Reading, beside the writer.

use rusqlite::{Connection, Params};
use souk_eventsourcing::{KeyRing, KeysUnavailable, Person};
use tokio::sync::oneshot;

use crate::MasterKey;
use crate::worker::failed;

type Answer<T> = oneshot::Sender<Result<T, KeysUnavailable>>;

pub(crate) enum Request {
    Keys { people: Vec<Person>, answer: Answer<KeyRing> },
    IsErased { person: Person, answer: Answer<bool> },
    Unsettled { limit: usize, answer: Answer<Vec<Person>> },
    ErasedAfter { after: String, limit: usize, answer: Answer<Vec<Person>> },
    Index(Box<dyn FnOnce(&Connection) + Send>),
}

pub(crate) struct Reader {
    pub(crate) connection: Connection,
    pub(crate) master: MasterKey,
}

impl Reader {
    pub(crate) fn work(&mut self, requests: Vec<Request>) {
        for request in requests {
            // Whoever asked may have gone away.
            match request {
                Request::Keys { people, answer } => {
                    drop(answer.send(keys(&self.connection, &self.master, &people)));
                }
                Request::IsErased { person, answer } => drop(answer.send(self.is_erased(&person))),
                Request::Unsettled { limit, answer } => {
                    let sql = "SELECT person FROM erased WHERE is_settled = 0 ORDER BY erased_at LIMIT ?1";
                    drop(answer.send(self.people(sql, [count(limit)])));
                }
                Request::Index(work) => work(&self.connection),
                Request::ErasedAfter { after, limit, answer } => {
                    let sql = "SELECT person FROM erased WHERE person > ?1 ORDER BY person LIMIT ?2";
                    drop(answer.send(self.people(sql, (after, count(limit)))));
                }
            }
        }
    }

    fn is_erased(&self, person: &Person) -> Result<bool, KeysUnavailable> {
        is_erased(&self.connection, person).map_err(|error| failed(&error))
    }

    fn people(&self, sql: &str, parameters: impl Params) -> Result<Vec<Person>, KeysUnavailable> {
        let read = move || -> rusqlite::Result<Vec<Person>> {
            let mut statement = self.connection.prepare_cached(sql)?;
            let people = statement.query_map(parameters, |row| row.get::<_, String>(0))?;
            people.map(|person| person.map(|text| Person::parse(&text))).collect()
        };
        read().map_err(|error| failed(&error))
    }
}

fn count(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) fn is_erased(connection: &Connection, person: &Person) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM erased WHERE person = ?1)";
    connection.prepare_cached(sql)?.query_row([person.as_str()], |row| row.get(0))
}

/// The keys of those who have one. A key that can't be unwrapped is damage, not an erasure.
pub(crate) fn keys(
    connection: &Connection,
    master: &MasterKey,
    people: &[Person],
) -> Result<KeyRing, KeysUnavailable> {
    let names: Vec<&str> = people.iter().map(Person::as_str).collect();
    let names = serde_json::to_string(&names).map_err(|error| KeysUnavailable(error.to_string()))?;
    let sql = "SELECT person, wrapped FROM person_keys WHERE person IN (SELECT value FROM json_each(?1))";
    let read = || -> rusqlite::Result<Vec<(String, Vec<u8>)>> {
        let mut statement = connection.prepare_cached(sql)?;
        let rows = statement.query_map([names], |row| Ok((row.get(0)?, row.get(1)?)))?;
        rows.collect()
    };
    let unwrapped = read().map_err(|error| failed(&error))?.into_iter().map(|(name, wrapped)| {
        let person = Person::parse(&name);
        let key = master.unwrap(&person, &wrapped);
        let key = key.ok_or_else(|| KeysUnavailable(format!("the key of {person} is damaged")))?;
        Ok((person, key))
    });
    unwrapped.collect()
}
