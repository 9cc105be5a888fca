//! The index of people: names (keyed hashes), their aliases, and links from names to people. Rows are deleted
//! like keys: they are overwritten with zeros, and the write-ahead log is truncated before the response.

use std::fmt::Write as _;

use async_trait::async_trait;
use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension as _};
use souk_eventsourcing::personal::NameLink;
use souk_eventsourcing::{KeysUnavailable, Person, PersonIndex};
use tokio::sync::oneshot;

use crate::worker::{self, failed};
use crate::write::{Request, truncate_wal};
use crate::{SqlitePersonKeys, read};

/// Number of random bytes of an alias: too many to guess one, or to draw the same twice.
const ALIAS_BYTES: usize = 32;

impl SqlitePersonKeys {
    pub(crate) async fn index_read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, KeysUnavailable> {
        let (reply, response) = oneshot::channel();
        let work = move |connection: &Connection| {
            // `send` fails only if the caller was cancelled.
            let _ = reply.send(work(connection).map_err(|error| failed(&error)));
        };
        self.reader.send(read::Request::Index(Box::new(work))).await?;
        response.await.map_err(|_| worker::stopped())?
    }

    pub(crate) async fn index_write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Connection) -> Result<T, KeysUnavailable> + Send + 'static,
    ) -> Result<T, KeysUnavailable> {
        let (reply, response) = oneshot::channel();
        let work = move |connection: &Connection| {
            // `send` fails only if the caller was cancelled.
            let _ = reply.send(work(connection));
        };
        self.writer.send(Request::Index(Box::new(work))).await?;
        response.await.map_err(|_| worker::stopped())?
    }
}

#[async_trait]
impl PersonIndex for SqlitePersonKeys {
    async fn alias_of(&self, name: &str) -> Result<Option<String>, KeysUnavailable> {
        let name = name.to_owned();
        self.index_read(move |connection| alias_of(connection, &name)).await
    }

    async fn name_of(&self, alias: &str) -> Result<Option<String>, KeysUnavailable> {
        let alias = alias.to_owned();
        let sql = "SELECT name FROM aliases WHERE alias = ?1";
        self.index_read(move |connection| connection.query_row(sql, [alias], |row| row.get(0)).optional())
            .await
    }

    async fn make_alias(&self, name: &str) -> Result<String, KeysUnavailable> {
        let name = name.to_owned();
        self.index_write(move |connection| make_alias(connection, &name)).await
    }

    async fn adopt_alias(&self, name: &str) -> Result<(), KeysUnavailable> {
        let name = name.to_owned();
        let sql = "INSERT OR IGNORE INTO aliases VALUES (?1, ?1)";
        self.index_write(move |connection| execute(connection, sql, &[&name])).await
    }

    async fn delete_alias(&self, alias: &str) -> Result<(), KeysUnavailable> {
        let alias = alias.to_owned();
        let delete = move |connection: &Connection| {
            execute(connection, "DELETE FROM aliases WHERE alias = ?1", &[&alias])?;
            souk_fail_points::reach("person-alias-deleted");
            truncate_wal(connection)
        };
        self.index_write(delete).await
    }

    async fn link(&self, links: Vec<(Person, String)>) -> Result<(), KeysUnavailable> {
        if links.is_empty() {
            return Ok(());
        }
        self.index_write(move |connection| link(connection, &links)).await
    }

    async fn unlink(&self, person: &Person, name: &str) -> Result<(), KeysUnavailable> {
        let person = person.as_str().to_owned();
        let name = name.to_owned();
        let delete = move |connection: &Connection| {
            execute(connection, "DELETE FROM links WHERE name = ?1 AND person = ?2", &[&name, &person])?;
            truncate_wal(connection)
        };
        self.index_write(delete).await
    }

    async fn keyed_after(
        &self,
        kind: &str,
        after: Option<&Person>,
        limit: usize,
    ) -> Result<Vec<(Person, Timestamp)>, KeysUnavailable> {
        let first = format!("{kind}:");
        // `;` is the character after `:`, so every name of this kind sorts before `end`.
        let end = format!("{kind};");
        let after = after.map_or(first, |person| person.as_str().to_owned());
        self.index_read(move |connection| keyed_after(connection, &after, &end, limit)).await
    }

    async fn linked_after(
        &self,
        after: Option<&NameLink>,
        limit: usize,
    ) -> Result<Vec<NameLink>, KeysUnavailable> {
        let name = after.map(|linked| linked.name.clone()).unwrap_or_default();
        let person = after.map(|linked| linked.person.as_str().to_owned()).unwrap_or_default();
        self.index_read(move |connection| linked_after(connection, &name, &person, limit)).await
    }
}

fn execute(connection: &Connection, sql: &str, values: &[&str]) -> Result<(), KeysUnavailable> {
    let prepared = connection.prepare_cached(sql);
    let changed = prepared.and_then(|mut prepared| prepared.execute(rusqlite::params_from_iter(values)));
    changed.map(drop).map_err(|error| failed(&error))
}

fn alias_of(connection: &Connection, name: &str) -> rusqlite::Result<Option<String>> {
    let mut select = connection.prepare_cached("SELECT alias FROM aliases WHERE name = ?1")?;
    select.query_row([name], |row| row.get(0)).optional()
}

/// Returns the alias of a name, or creates one. There is only one writer thread, so no other alias is created
/// between the lookup and the insert.
fn make_alias(connection: &Connection, name: &str) -> Result<String, KeysUnavailable> {
    if let Some(alias) = alias_of(connection, name).map_err(|error| failed(&error))? {
        return Ok(alias);
    }
    let mut bytes = [0; ALIAS_BYTES];
    getrandom::fill(&mut bytes).map_err(|error| KeysUnavailable(error.to_string()))?;
    let mut alias = String::with_capacity(2 * ALIAS_BYTES);
    for byte in bytes {
        // Writing to a `String` can't fail.
        let _ = write!(alias, "{byte:02x}");
    }
    execute(connection, "INSERT INTO aliases VALUES (?1, ?2)", &[name, &alias])?;
    Ok(alias)
}

fn link(connection: &Connection, links: &[(Person, String)]) -> Result<(), KeysUnavailable> {
    let sql = "INSERT OR IGNORE INTO links SELECT ?1, ?2 \
               WHERE NOT EXISTS (SELECT 1 FROM erased WHERE person = ?2)";
    let transaction = connection.unchecked_transaction().map_err(|error| failed(&error))?;
    for (person, name) in links {
        execute(&transaction, sql, &[name, person.as_str()])?;
    }
    transaction.commit().map_err(|error| failed(&error))
}

fn keyed_after(
    connection: &Connection,
    after: &str,
    end: &str,
    limit: usize,
) -> rusqlite::Result<Vec<(Person, Timestamp)>> {
    let sql = "SELECT person, made_at FROM person_keys \
               WHERE person > ?1 AND person < ?2 ORDER BY person LIMIT ?3";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map((after, end, i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
        let person: String = row.get(0)?;
        let made_at = Timestamp::from_second(row.get(1)?).unwrap_or(Timestamp::UNIX_EPOCH);
        Ok((Person::parse(&person), made_at))
    })?;
    rows.collect()
}

fn linked_after(
    connection: &Connection,
    name: &str,
    person: &str,
    limit: usize,
) -> rusqlite::Result<Vec<NameLink>> {
    let sql = "SELECT links.name, links.person, aliases.alias \
               FROM links CROSS JOIN aliases ON aliases.name = links.name \
               WHERE (links.name, links.person) > (?1, ?2) ORDER BY links.name, links.person LIMIT ?3";
    let mut select = connection.prepare_cached(sql)?;
    let rows = select.query_map((name, person, i64::try_from(limit).unwrap_or(i64::MAX)), |row| {
        let person: String = row.get(1)?;
        Ok(NameLink { name: row.get(0)?, person: Person::parse(&person), alias: row.get(2)? })
    })?;
    rows.collect()
}
