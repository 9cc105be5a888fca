//! Verifying a whole log: every checksum, every revision, every position.

use std::collections::HashMap;
use std::path::Path;

use souk_eventsourcing::{Position, Revision, StreamName};

use crate::row;
use crate::{LOG_FILE, OpenError, open};

/// Problems that are reported in full; more are counted.
const PROBLEMS_MAX: usize = 100;

/// Something wrong in a log.
#[derive(Clone, Debug, PartialEq, Eq, serde::Serialize)]
pub struct Problem {
    /// Where.
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
/// read and events in all.
pub fn verify(folder: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, OpenError> {
    verify_file(&folder.join(LOG_FILE), progress)
}

pub(crate) fn verify_file(path: &Path, progress: &mut dyn FnMut(u64, u64)) -> Result<VerifyReport, OpenError> {
    let connection = open::open_for_reading(path)?;
    let failed = |error: rusqlite::Error| OpenError::of_sqlite(path, &error);
    let head: u64 = connection
        .query_row("SELECT coalesce(max(position), 0) FROM events", [], |row| row.get(0))
        .map_err(failed)?;
    let mut report = VerifyReport::default();
    let mut heads: HashMap<StreamName, Revision> = HashMap::new();
    let mut expected = 1;
    let mut statement = connection.prepare(row::SELECT_ALL).map_err(failed)?;
    let mut rows = statement.query((0, head, i64::MAX)).map_err(failed)?;
    while let Some(stored) = rows.next().map_err(failed)? {
        let position = Position(stored.get(0).map_err(failed)?);
        if position.0 != expected {
            let missing = position.0.saturating_sub(expected);
            report.add(Position(expected), format!("{missing} events are missing"));
        }
        expected = position.0 + 1;
        report.events += 1;
        match row::read_checked(stored).map_err(failed)? {
            Ok(event) => {
                let next = Revision::after(heads.insert(event.stream.clone(), event.revision));
                if event.revision != next {
                    let what = format!("{} goes on with revision {}, not {next}", event.stream, event.revision);
                    report.add(position, what);
                }
            }
            Err(what) => report.add(position, what),
        }
        if report.events % 1_000 == 0 {
            progress(report.events, head);
        }
    }
    report.streams = heads.len() as u64;
    progress(report.events, head);
    Ok(report)
}
