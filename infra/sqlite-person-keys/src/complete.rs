//! The position of a log up to which the store is complete: of every person in a sealed value before it, the store has
//! the key, or knows that the person is erased. An older copy of the store names an older position, and a new store
//! names none, so that only later events have to be looked at.

use souk_eventsourcing::{KeysUnavailable, Person, Position};

use crate::SqlitePersonKeys;
use crate::worker::failed;

/// The name of the row that holds the log and the position.
const COMPLETE: &str = "complete";

impl SqlitePersonKeys {
    /// The position up to which the store is complete for a log, named by its lineage: the start when it never was.
    pub async fn complete_up_to(&self, log: &str) -> Result<Position, KeysUnavailable> {
        let noted: Option<String> = self
            .index_read(|connection| {
                let sql = "SELECT max(value) FROM meta WHERE name = ?1";
                connection.query_row(sql, [COMPLETE], |row| row.get(0))
            })
            .await?;
        let noted = noted.as_deref().and_then(|noted| noted.split_once(' '));
        let position = noted.filter(|(of, _)| *of == log).and_then(|(_, position)| position.parse().ok());
        Ok(position.map_or(Position::START, Position))
    }

    /// Notes that the store is complete for a log up to a position.
    pub async fn note_complete(&self, log: &str, up_to: Position) -> Result<(), KeysUnavailable> {
        let value = format!("{log} {}", up_to.0);
        self.index_write(move |connection| {
            let sql =
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            connection.execute(sql, [COMPLETE, &value]).map(drop).map_err(|error| failed(&error))
        })
        .await
    }

    /// Of these people, those who have no key and are not known as erased.
    pub async fn missing(&self, people: Vec<Person>) -> Result<Vec<Person>, KeysUnavailable> {
        let names: Vec<&str> = people.iter().map(Person::as_str).collect();
        let names = serde_json::to_string(&names).map_err(|error| KeysUnavailable(error.to_string()))?;
        self.index_read(move |connection| {
            let sql = "SELECT value FROM json_each(?1) \
                       WHERE NOT EXISTS (SELECT 1 FROM person_keys WHERE person = value) \
                       AND NOT EXISTS (SELECT 1 FROM erased WHERE person = value)";
            let mut select = connection.prepare_cached(sql)?;
            let rows = select.query_map([names], |row| row.get::<_, String>(0))?;
            rows.map(|name| name.map(|name| Person::parse(&name))).collect()
        })
        .await
    }
}
