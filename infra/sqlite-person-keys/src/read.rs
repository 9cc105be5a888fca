//! Requests that the reader thread executes.

use rusqlite::{Connection, Params};
use souk_eventsourcing::{KeyRing, KeysUnavailable, Person};

use crate::worker::failed;
use crate::{MasterKey, Reply};

/// Request to the reader thread. `IncompleteErasures` asks for the people whose erasure is not finished, and `Index`
/// runs a read of the index of people.
pub(crate) enum Request {
    Keys { people: Vec<Person>, reply: Reply<KeyRing> },
    IsErased { person: Person, reply: Reply<bool> },
    IncompleteErasures { limit: usize, reply: Reply<Vec<Person>> },
    ErasedAfter { after: String, limit: usize, reply: Reply<Vec<Person>> },
    Index(Box<dyn FnOnce(&Connection) + Send>),
}

pub(crate) struct Reader {
    pub(crate) connection: Connection,
    pub(crate) master: MasterKey,
}

impl Reader {
    pub(crate) fn work(&mut self, requests: Vec<Request>) {
        for request in requests {
            // `send` fails only if the caller was cancelled.
            match request {
                Request::Keys { people, reply } => {
                    drop(reply.send(keys(&self.connection, &self.master, &people)));
                }
                Request::IsErased { person, reply } => drop(reply.send(self.is_erased(&person))),
                Request::IncompleteErasures { limit, reply } => {
                    let sql = "SELECT person FROM erased WHERE is_settled = 0 ORDER BY erased_at LIMIT ?1";
                    drop(reply.send(self.people(sql, [sql_limit(limit)])));
                }
                Request::Index(work) => work(&self.connection),
                Request::ErasedAfter { after, limit, reply } => {
                    let sql = "SELECT person FROM erased WHERE person > ?1 ORDER BY person LIMIT ?2";
                    drop(reply.send(self.people(sql, (after, sql_limit(limit)))));
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

fn sql_limit(limit: usize) -> i64 {
    i64::try_from(limit).unwrap_or(i64::MAX)
}

pub(crate) fn is_erased(connection: &Connection, person: &Person) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM erased WHERE person = ?1)";
    connection.prepare_cached(sql)?.query_row([person.as_str()], |row| row.get(0))
}

/// Returns the keys of the people who have one. A key that can't be decrypted with the master key is an
/// error: it is damaged, not erased.
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
