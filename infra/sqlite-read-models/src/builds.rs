//! Builds of read models. A build is a set of tables of one model.
//!
//! The views that queries use switch from one build to another in one transaction. A build that is no longer
//! needed is marked as old at once, and its tables are deleted in small steps. Deleting a large table in one
//! step would block the live models.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior};
use souk_eventsourcing::Position;
use souk_eventsourcing::projector::{Build, Model, OpenBuild, Purpose};

use crate::ddl::{create, quoted, view_script};
use crate::failure::Failure;
use crate::parking;

fn begin_writing(connection: &mut Connection) -> rusqlite::Result<Transaction<'_>> {
    connection.transaction_with_behavior(TransactionBehavior::Immediate)
}

/// Opens a build for each of these models, in the model's version; see `ReadModelStore::open`. Retires the
/// builds of all other models.
pub(crate) fn open(
    connection: &mut Connection,
    models: &[&'static Model],
) -> Result<Vec<OpenBuild>, Failure> {
    let transaction = begin_writing(connection)?;
    let known: Vec<&str> = models.iter().map(|model| model.name).collect();
    let mut statement = transaction.prepare("SELECT number, model FROM builds WHERE state <> 'old'")?;
    let builds = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    let builds = builds.collect::<rusqlite::Result<Vec<(u32, String)>>>()?;
    drop(statement);
    for (number, _) in builds.iter().filter(|(_, model)| !known.contains(&model.as_str())) {
        retire(&transaction, *number)?;
    }
    let mut opened = Vec::with_capacity(models.len());
    for model in models {
        opened.push(open_one(&transaction, model)?);
    }
    transaction.commit()?;
    Ok(opened)
}

fn open_one(transaction: &Transaction<'_>, model: &'static Model) -> Result<OpenBuild, Failure> {
    let sql = "SELECT number FROM builds WHERE model = ?1 AND version = ?2 AND state IN ('live', 'next') \
               ORDER BY state LIMIT 1";
    let found = transaction.query_row(sql, (model.name, model.version), |row| row.get(0)).optional()?;
    if let Some(number) = found {
        return read(transaction, Build { model, number });
    }
    let sql = "SELECT count(*) FROM builds WHERE model = ?1 AND state = 'live'";
    let has_live: bool = transaction.query_row(sql, [model.name], |row| row.get(0))?;
    let build = make(transaction, model, if has_live { "next" } else { "live" }, None)?;
    if !has_live {
        show(transaction, build.number)?;
    }
    read(transaction, build)
}

fn make(
    transaction: &Transaction<'_>,
    model: &'static Model,
    state: &str,
    until: Option<Position>,
) -> Result<Build, Failure> {
    let sql = "INSERT INTO builds (model, version, state, until, position) \
               VALUES (?1, ?2, ?3, ?4, 0) RETURNING number";
    let until_number = until.map(|position| position.0);
    let number =
        transaction.query_row(sql, (model.name, model.version, state, until_number), |row| row.get(0))?;
    let build = Build { model, number };
    create(transaction, build, until)?;
    Ok(build)
}

/// Reads the state of a build.
fn read(transaction: &Transaction<'_>, build: Build) -> Result<OpenBuild, Failure> {
    let sql = "SELECT position, state FROM builds WHERE number = ?1";
    let found = transaction.query_row(sql, [build.number], |row| {
        Ok((Position(row.get(0)?), row.get::<_, String>(1)? == "live"))
    });
    let (checkpoint, is_live) = found?;
    let parked = parking::load(transaction, build.model.name, build.number)?;
    Ok(OpenBuild { build, is_live, checkpoint, parked })
}

/// Opens a build beside the live one: continues an existing build for this purpose, or creates one.
pub(crate) fn begin(
    connection: &mut Connection,
    model: &'static Model,
    purpose: Purpose,
    now: Timestamp,
) -> Result<OpenBuild, Failure> {
    let (state, until) = match purpose {
        Purpose::Next => ("next", None),
        Purpose::Until(position) => ("until", Some(position)),
    };
    let transaction = begin_writing(connection)?;
    let sql = "SELECT number FROM builds \
               WHERE model = ?1 AND version = ?2 AND state = ?3 AND until IS ?4 LIMIT 1";
    let until_number = until.map(|position| position.0);
    let found = transaction
        .query_row(sql, (model.name, model.version, state, until_number), |row| row.get(0))
        .optional()?;
    let build = if let Some(number) = found {
        Build { model, number }
    } else {
        // A build of another version for this position would have views with the same names.
        if until.is_some() {
            for number in numbers(&transaction, model, "until", until)? {
                retire(&transaction, number)?;
            }
        }
        make(&transaction, model, state, until)?
    };
    let sql = "UPDATE builds SET asked_at_us = ?2 WHERE number = ?1";
    transaction.execute(sql, (build.number, now.as_microsecond()))?;
    let opened = read(&transaction, build)?;
    transaction.commit()?;
    Ok(opened)
}

/// Retires the builds for a position that were last requested before this time. Returns their number.
pub(crate) fn expire(connection: &mut Connection, before: Timestamp) -> Result<u32, Failure> {
    let transaction = begin_writing(connection)?;
    let sql = "SELECT number FROM builds WHERE state = 'until' AND asked_at_us < ?1";
    let expired: Vec<u32> = transaction
        .prepare_cached(sql)?
        .query_map([before.as_microsecond()], |row| row.get(0))?
        .collect::<rusqlite::Result<_>>()?;
    for number in &expired {
        retire(&transaction, *number)?;
    }
    transaction.commit()?;
    Ok(u32::try_from(expired.len()).unwrap_or(u32::MAX))
}

/// Returns the build that will replace the live one.
pub(crate) fn next(connection: &mut Connection, model: &'static Model) -> Result<Option<OpenBuild>, Failure> {
    let transaction = connection.transaction()?;
    let sql = "SELECT number FROM builds WHERE model = ?1 AND version = ?2 AND state = 'next' LIMIT 1";
    let found = transaction.query_row(sql, (model.name, model.version), |row| row.get(0)).optional()?;
    found.map(|number| read(&transaction, Build { model, number })).transpose()
}

/// Makes these builds live, in one transaction.
pub(crate) fn switch(connection: &mut Connection, builds: &[Build]) -> Result<(), Failure> {
    let transaction = begin_writing(connection)?;
    // The old live builds are retired first, because a view's name may move from one model to another.
    for build in builds {
        let sql = "SELECT number FROM builds WHERE model = ?1 AND state = 'live' AND number <> ?2";
        let live =
            transaction.query_row(sql, (build.model.name, build.number), |row| row.get(0)).optional()?;
        if let Some(live) = live {
            retire(&transaction, live)?;
        }
    }
    for build in builds {
        let sql = "UPDATE builds SET state = 'live' WHERE number = ?1 AND state = 'next'";
        if transaction.execute(sql, [build.number])? != 1 {
            return Err(Failure::NotOpened { model: build.model.name, version: build.model.version });
        }
        show(&transaction, build.number)?;
        // Builds that were begun for other versions are no longer needed.
        for number in numbers(&transaction, build.model, "next", None)? {
            retire(&transaction, number)?;
        }
    }
    Ok(transaction.commit()?)
}

/// Returns the numbers of a model's builds in a state. `until` is the position of builds for a position.
fn numbers(
    transaction: &Transaction<'_>,
    model: &Model,
    state: &str,
    until: Option<Position>,
) -> rusqlite::Result<Vec<u32>> {
    let sql = "SELECT number FROM builds WHERE model = ?1 AND state = ?2 AND until IS ?3";
    let mut statement = transaction.prepare_cached(sql)?;
    let until = until.map(|position| position.0);
    let rows = statement.query_map((model.name, state, until), |row| row.get(0))?;
    rows.collect()
}

/// Points the views at a build's tables.
fn show(transaction: &Transaction<'_>, number: u32) -> rusqlite::Result<()> {
    for (table, view) in tables_and_views(transaction, number)? {
        transaction.execute_batch(&view_script(&view, &table))?;
    }
    Ok(())
}

/// Returns the tables of a build, each with its view.
fn tables_and_views(transaction: &Transaction<'_>, number: u32) -> rusqlite::Result<Vec<(String, String)>> {
    let sql = "SELECT name, view_name FROM build_tables WHERE build = ?1";
    let mut statement = transaction.prepare_cached(sql)?;
    let tables = statement.query_map([number], |row| Ok((row.get(0)?, row.get(1)?)))?;
    tables.collect()
}

/// Drops the views of a build and marks it as old.
fn retire(transaction: &Transaction<'_>, number: u32) -> rusqlite::Result<()> {
    let state: String =
        transaction.query_row("SELECT state FROM builds WHERE number = ?1", [number], |row| row.get(0))?;
    if state == "live" || state == "until" {
        for (_, view) in tables_and_views(transaction, number)? {
            transaction.execute_batch(&format!("DROP VIEW {};", quoted(&view)))?;
        }
    }
    transaction.execute("UPDATE builds SET state = 'old' WHERE number = ?1", [number]).map(drop)
}

/// Retires a build.
pub(crate) fn abandon(connection: &mut Connection, number: u32) -> Result<(), Failure> {
    let transaction = begin_writing(connection)?;
    retire(&transaction, number)?;
    Ok(transaction.commit()?)
}

/// Deletes up to `rows` rows of an old build. Returns false if there is no old build.
pub(crate) fn tidy(connection: &mut Connection, rows: u32) -> Result<bool, Failure> {
    let transaction = begin_writing(connection)?;
    let sql = "SELECT number, model FROM builds WHERE state = 'old' ORDER BY number LIMIT 1";
    let old = transaction.query_row(sql, [], |row| Ok((row.get::<_, u32>(0)?, row.get::<_, String>(1)?)));
    let Some((number, model)) = old.optional()? else { return Ok(false) };
    if let Some((table, _)) = tables_and_views(&transaction, number)?.first() {
        let name = quoted(table);
        let sql = format!("DELETE FROM {name} WHERE key IN (SELECT key FROM {name} LIMIT ?1)");
        if transaction.execute(&sql, [rows])? == 0 {
            transaction.execute_batch(&format!("DROP TABLE {name};"))?;
            transaction.execute("DELETE FROM build_tables WHERE name = ?1", [table])?;
        }
    } else {
        parking::forget(&transaction, &model, number)?;
        transaction.execute("DELETE FROM builds WHERE number = ?1", [number])?;
    }
    transaction.commit()?;
    Ok(true)
}

/// Moves the checkpoint of a build from one position to another.
///
/// Fails if the checkpoint is not at `from`: then another program applies events to the same build, and the
/// events would be counted twice.
pub(crate) fn move_checkpoint(
    transaction: &Transaction<'_>,
    build: Build,
    from: Position,
    to: Position,
) -> Result<(), Failure> {
    let sql = "UPDATE builds SET position = ?3 WHERE number = ?1 AND state <> 'old' AND position = ?2";
    let moved = transaction.prepare_cached(sql)?.execute((build.number, from.0, to.0))?;
    let moved_by_another = Failure::CheckpointMoved { model: build.model.name, number: build.number, from };
    if moved == 1 { Ok(()) } else { Err(moved_by_another) }
}
