//! Verification of a whole log: every checksum, revision and position, and the file itself.
//!
//! Rows are read in pages, so that a long verification does not stop the write-ahead log from being reset.
//! Events that are appended during the verification are not checked.

use std::collections::HashMap;
use std::path::Path;

use rusqlite::{Connection, Row, Statement};
use souk_eventsourcing::{Position, Revision, StreamName};

use crate::row::{self, RowError};
use crate::{LOG_FILE, OpenError, open, wal_scan};

/// Limit of problems that are described. All problems are counted.
const PROBLEMS_MAX: usize = 100;
/// Number of rows in one page. `progress` is called after each page.
const PAGE_ROWS: u64 = 1_000;

/// A problem in a log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Position of the event, or [`Position::START`] for a problem of the whole file.
    pub position: Position,
    /// Description of the problem.
    pub what: String,
}

/// Result of a verification.
#[derive(Clone, Debug, Default, PartialEq, Eq, serde::Serialize)]
pub struct VerifyReport {
    /// Number of events that were read.
    pub events: u64,
    /// Number of streams of these events.
    pub streams: u64,
    /// Number of problems that were found.
    pub problems_found: u64,
    /// The first problems, up to 100.
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

/// Verifies every event of the log in a folder. Another process may write to the log. `progress` is called
/// with the number of events read and the total. Blocks the calling thread.
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
    let mut scan = Scan::default();
    let mut page = connection.prepare(row::SELECT_ALL).map_err(failed)?;
    while scan.reached < head {
        let reached_before = scan.reached;
        match scan.read_page(&mut page, head) {
            Ok(()) if scan.reached > reached_before => progress(scan.report.events, head),
            Ok(()) => break,
            Err(error) if is_corrupt(&error) => {
                let what = format!("the file is damaged here, later events were not read: {error}");
                scan.report.add(Position(scan.reached + 1), what);
                break;
            }
            Err(error) => return Err(failed(error)),
        }
    }
    scan.report.streams = scan.heads.len() as u64;
    check_file(&connection, &mut scan.report).map_err(failed)?;
    Ok(scan.report)
}

/// Progress of a scan over all rows.
#[derive(Default)]
struct Scan {
    report: VerifyReport,
    heads: HashMap<StreamName, Revision>,
    /// Last position that was read.
    reached: u64,
}

impl Scan {
    fn read_page(&mut self, page: &mut Statement<'_>, head: u64) -> rusqlite::Result<()> {
        let mut rows = page.query((self.reached, head, PAGE_ROWS))?;
        while let Some(stored) = rows.next()? {
            let position: u64 = stored.get(0)?;
            let expected = self.reached + 1;
            if position != expected {
                let missing = position.saturating_sub(expected);
                self.report.add(Position(expected), format!("{missing} events are missing here"));
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

    /// Counts the revision of a damaged row if it can still be read, so that the row is not also reported as
    /// a gap in its stream.
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
            self.report.add(position, format!("{stream} continues with revision {revision}, not {next}"));
        }
        self.heads.insert(stream, revision);
    }
}

/// Runs the integrity check of `SQLite`. It compares the indexes with the table and finds lost pages.
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
