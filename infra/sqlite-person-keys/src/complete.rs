//! The position of the log up to which the store is complete. For every sealed value up to this position, the
//! store has the person's key or has a record of the person's erasure. Only later events must be checked for
//! missing keys. An older copy of the store has an older position, and a new store has none.

use souk_eventsourcing::{KeysUnavailable, Person, Position};

use crate::SqlitePersonKeys;
use crate::worker::failed;

/// Name of the row in `meta` that holds the log's lineage and the position.
const COMPLETE: &str = "complete";

impl SqlitePersonKeys {
    /// Returns the position up to which the store is complete for a log. `log` is the log's lineage. Returns
    /// [`Position::START`] if none is recorded.
    pub async fn complete_up_to(&self, log: &str) -> Result<Position, KeysUnavailable> {
        let recorded: Option<String> = self
            .index_read(|connection| {
                let sql = "SELECT max(value) FROM meta WHERE name = ?1";
                connection.query_row(sql, [COMPLETE], |row| row.get(0))
            })
            .await?;
        let recorded = recorded.as_deref().and_then(|recorded| recorded.split_once(' '));
        let position =
            recorded.filter(|(lineage, _)| *lineage == log).and_then(|(_, position)| position.parse().ok());
        Ok(position.map_or(Position::START, Position))
    }

    /// Records that the store is complete for a log up to a position.
    pub async fn note_complete(&self, log: &str, up_to: Position) -> Result<(), KeysUnavailable> {
        let value = format!("{log} {}", up_to.0);
        self.index_write(move |connection| {
            let sql =
                "INSERT INTO meta VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value";
            connection.execute(sql, [COMPLETE, &value]).map(drop).map_err(|error| failed(&error))
        })
        .await
    }

    /// Returns the people of the list who have no key and are not erased.
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
