//! Verifying a whole log: every checksum, every revision, every position, and the file itself.
//!
//! Rows are read a page at a time, so that a long look never keeps the write-ahead log from being begun
//! anew. What is appended meanwhile is not looked at.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, Row, Statement};
use souk_eventsourcing::{Position, Revision, StreamName};

use crate::row::{self, RowError};
use crate::{LOG_FILE, OpenError, open, wal_scan};

/// Problems that are reported in full; more are counted.
const PROBLEMS_MAX: usize = 100;
/// Rows read at once; the progress is told after each page.
const PAGE_ROWS: u64 = 1_000;

/// Something wrong in a log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Where; [`Position::START`] when it is the file as a whole.
    pub position: Position,
    /// What.
    pub what: String,
}

/// What verifying found.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Events that were read.
    pub events: u64,
    /// Streams they are in.
    pub streams: u64,
    /// Problems that were found.
    pub problems_found: u64,
    /// The first of them.
    pub problems: Vec<Problem>,
}

impl VerifyReport {
    fn add(&mut self, position: Position, what: String) {
        self.problems_found += 1;
        if self.problems.len() < PROBLEMS_MAX {
            self.problems.push(Problem { position, what });
        }
    }
}

/// Reads every event of the log in a folder, beside whoever writes to it. `progress` is told events
/// read and events in all. Call it where blocking is allowed.
pub fn verify(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, OpenError> {
    verify_file(&folder.join(LOG_FILE), progress)
}

pub(crate) fn verify_file(
    path: &Path,
    progress: &mut dyn FnMut(u64, u64),
) -> Result<VerifyReport, OpenError> {
    wal_scan::check(path)?;
    let connection = open::open_for_reading(path)?;
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let head = open::head_of(&connection).map_err(failed)?;
    let mut look = Look::default();
    let mut page = connection.prepare(row::SELECT_ALL).map_err(failed)?;
    while look.reached < head {
        let reached_before = look.reached;
        match look.read_page(&mut page, head) {
            Ok(()) if look.reached > reached_before => progress(look.report.events, head),
            Ok(()) => break,
            Err(error) if is_corrupt(&error) => {
                let what = format!("the file is damaged here, nothing behind was read: {error}");
                look.report.add(Position(look.reached + 1), what);
                break;
            }
            Err(error) => return Err(failed(error)),
        }
    }
    look.report.streams = look.heads.len() as u64;
    check_file(&connection, &mut look.report).map_err(failed)?;
    Ok(look.report)
}

/// How far a look at all rows got.
#[derive(Default)]
struct Look {
    report: VerifyReport,
    heads: HashMap<StreamName, Revision>,
    /// The last position that was looked at.
    reached: u64,
}

impl Look {
    fn read_page(&mut self, page: &mut Statement<'_>, head: u64) -> rusqlite::Result<()> {
        let mut rows = page.query((self.reached, head, PAGE_ROWS))?;
        while let Some(stored) = rows.next()? {
            let position: u64 = stored.get(0)?;
            let expected = self.reached + 1;
            if position != expected {
                let missing = position.saturating_sub(expected);
                self.report.add(Position(expected), format!("{missing} events are missing from here on"));
            }
            self.reached = position;
            self.report.events += 1;
            match row::read_checked(stored) {
                Ok(event) => self.check_revision(Position(position), event.stream, event.revision),
                Err(RowError(what)) => {
                    self.report.add(Position(position), what);
                    self.count_damaged(stored);
                }
            }
        }
        Ok(())
    }

    /// A damaged row is one problem, not a gap in its stream as well, where its place can still be read.
    fn count_damaged(&mut self, stored: &Row<'_>) {
        let stream = stored.get_ref(1).ok().and_then(|column| column.as_str().ok());
        let stream = stream.and_then(|name| StreamName::parse(name).ok());
        if let (Some(stream), Ok(revision)) = (stream, stored.get(2)) {
            self.heads.insert(stream, Revision(revision));
        }
    }

    fn check_revision(&mut self, position: Position, stream: StreamName, revision: Revision) {
        let next = Revision::after(self.heads.get(&stream).copied());
        if revision != next {
            self.report.add(position, format!("{stream} goes on with revision {revision}, not {next}"));
        }
        self.heads.insert(stream, revision);
    }
}

/// Has `SQLite` compare the indexes with the table, and look for pages that are lost.
fn check_file(connection: &Connection, report: &mut VerifyReport) -> rusqlite::Result<()> {
    let mut statement = connection.prepare("PRAGMA integrity_check")?;
    let mut rows = statement.query([])?;
    loop {
        match rows.next() {
            Ok(None) => return Ok(()),
            Ok(Some(row)) => {
                let what: String = row.get(0)?;
                if what != "ok" {
                    report.add(Position::START, format!("the file: {what}"));
                }
            }
            Err(error) if is_corrupt(&error) => {
                report.add(Position::START, format!("the file: {error}"));
                return Ok(());
            }
            Err(error) => return Err(error),
        }
    }
}

fn is_corrupt(error: &rusqlite::Error) -> bool {
    error.sqlite_error_code() == Some(rusqlite::ErrorCode::DatabaseCorrupt)
}
