//! Appends within a transaction. Each append is accepted or refused separately, and leaves all its rows or
//! none.

use std::num::NonZeroUsize;

use lru::LruCache;
use rusqlite::{Connection, Statement};
use souk_eventsourcing::{
    Append, AppendError, Appended, Expected, NewEvent, Position, RecordedEvent, Revision, StreamName,
};

use crate::row;

/// Limit of streams whose last revision is cached.
const HEADS_MAX: NonZeroUsize = NonZeroUsize::new(10_000).expect("not zero");

/// Reason why an append was not written.
pub(super) enum Refusal {
    /// The append itself is refused. The transaction goes on.
    Append(AppendError),
    /// The disk failed. The transaction is lost.
    Fatal(rusqlite::Error),
}

impl From<rusqlite::Error> for Refusal {
    fn from(error: rusqlite::Error) -> Self {
        Self::Fatal(error)
    }
}

/// The table `events` with its prepared statements, the last position, and the last revisions of its streams.
/// Rows of the open transaction are included.
pub(super) struct Table<'c> {
    begin: Statement<'c>,
    commit: Statement<'c>,
    savepoint: Statement<'c>,
    roll_back: Statement<'c>,
    release: Statement<'c>,
    insert: Statement<'c>,
    last_revision: Statement<'c>,
    position: Position,
    heads: LruCache<StreamName, Revision>,
}

impl<'c> Table<'c> {
    pub(super) fn new(connection: &'c Connection, position: Position) -> rusqlite::Result<Self> {
        Ok(Self {
            begin: connection.prepare("BEGIN IMMEDIATE")?,
            commit: connection.prepare("COMMIT")?,
            savepoint: connection.prepare("SAVEPOINT append")?,
            roll_back: connection.prepare("ROLLBACK TO append")?,
            release: connection.prepare("RELEASE append")?,
            insert: connection.prepare(row::INSERT)?,
            last_revision: connection.prepare("SELECT max(revision) FROM events WHERE stream = ?1")?,
            position,
            heads: LruCache::new(HEADS_MAX),
        })
    }

    pub(super) fn begin(&mut self) -> rusqlite::Result<()> {
        self.begin.execute([]).map(|_| ())
    }

    pub(super) fn commit(&mut self) -> rusqlite::Result<()> {
        self.commit.execute([]).map(|_| ())
    }

    /// Writes an append and adds its events to `recorded`. An append without events changes nothing, but its
    /// expected revision is checked.
    pub(super) fn append(
        &mut self,
        append: Append,
        recorded: &mut Vec<RecordedEvent>,
    ) -> Result<Appended, Refusal> {
        let Append { stream, expected, events } = append;
        let last = match self.heads.get(&stream) {
            Some(last) => Some(*last),
            // A stream that is expected to be new usually is. If it exists, the unique index refuses the
            // insert. This saves one query for every new stream.
            None if expected == Expected::NoStream && !events.is_empty() => None,
            None => self.last_revision(&stream)?,
        };
        if expected != Expected::Any && expected != Expected::from_last(last) {
            return Err(Refusal::Append(AppendError::Conflict { stream, current: last }));
        }
        let first_revision = Revision::after(last);
        let position_before = self.position;
        let recorded_before = recorded.len();
        if self.insert_all(&stream, first_revision, events, recorded)? == Inserted::Refused {
            self.position = position_before;
            recorded.truncate(recorded_before);
            let current = self.last_revision(&stream)?;
            let is_conflict = expected == Expected::NoStream && current.is_some();
            return Err(Refusal::Append(if is_conflict {
                AppendError::Conflict { stream, current }
            } else {
                AppendError::Duplicate { stream }
            }));
        }
        let written = &recorded[recorded_before..];
        if let Some(last) = written.last() {
            self.heads.put(stream, last.revision);
        }
        let positions = written.iter().map(|event| event.position).collect();
        Ok(Appended { first_revision, positions })
    }

    /// Inserts all rows. If an index refuses one of them, none is inserted. A single row needs no savepoint
    /// for this.
    fn insert_all(
        &mut self,
        stream: &StreamName,
        first_revision: Revision,
        events: Vec<NewEvent>,
        recorded: &mut Vec<RecordedEvent>,
    ) -> rusqlite::Result<Inserted> {
        let several = events.len() > 1;
        if several {
            self.savepoint.execute([])?;
        }
        recorded.reserve(events.len());
        for (event, revision) in events.into_iter().zip(first_revision.0..) {
            let position = Position(self.position.0 + 1);
            let revision = Revision(revision);
            match row::insert(&mut self.insert, position, stream, revision, &event) {
                Ok(()) => {}
                Err(error) if is_unique_violation(&error) => {
                    if several {
                        self.roll_back.execute([])?;
                        self.release.execute([])?;
                    }
                    return Ok(Inserted::Refused);
                }
                Err(error) => return Err(error),
            }
            self.position = position;
            recorded.push(RecordedEvent { position, stream: stream.clone(), revision, event });
        }
        if several {
            self.release.execute([])?;
        }
        Ok(Inserted::All)
    }

    /// Reads the last revision of a stream and caches it.
    fn last_revision(&mut self, stream: &StreamName) -> rusqlite::Result<Option<Revision>> {
        let last: Option<u64> = self.last_revision.query_row([stream.as_str()], |row| row.get(0))?;
        if let Some(last) = last {
            self.heads.put(stream.clone(), Revision(last));
        }
        Ok(last.map(Revision))
    }
}

#[derive(PartialEq, Eq)]
enum Inserted {
    All,
    Refused,
}

fn is_unique_violation(error: &rusqlite::Error) -> bool {
    let code = error.sqlite_error().map(|error| error.extended_code);
    code == Some(rusqlite::ffi::SQLITE_CONSTRAINT_UNIQUE)
}
