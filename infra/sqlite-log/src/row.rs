//! A row of the log: reading, writing, checksum.

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Row, Statement};
use souk_eventsourcing::{
    Actor, CommandId, CorrelationId, EventId, NewEvent, Position, RecordedEvent, ReplyTo, RequestHash,
    Revision, StreamName,
};
use uuid::Uuid;

/// All columns, in the order of the table.
macro_rules! columns {
    () => {
        "position, stream, revision, event_id, event_type, schema_version, recorded_at_us, actor, \
         correlation_id, causation_id, command_id, request_hash, content_type, data, checksum, reply_to"
    };
}

/// Copies the rows between two positions (?1 exclusive, ?2 inclusive) from a table of events of any format;
/// rows of format 1 have no `reply_to`.
pub(crate) fn copy_rows(connection: &Connection, from: &str) -> rusqlite::Result<String> {
    let reply_to = if has_reply_to(connection, from)? { "reply_to" } else { "NULL" };
    let columns = columns!();
    let copied = columns.replace("reply_to", reply_to);
    Ok(format!(
        "INSERT INTO main.events ({columns}) SELECT {copied} FROM {from}.events \
         WHERE position > ?1 AND position <= ?2 ORDER BY position"
    ))
}

/// Returns true if the table of events of an attached database has the column of format 2.
pub(crate) fn has_reply_to(connection: &Connection, database: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM pragma_table_info('events', ?1) WHERE name = 'reply_to'";
    connection.query_row(sql, [database], |row| row.get(0))
}

/// Rows after a position up to another, with a limit.
pub(crate) const SELECT_ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM events WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3"
);
/// Rows of a stream from a revision on, with a limit.
pub(crate) const SELECT_STREAM: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM events WHERE stream = ?1 AND revision >= ?2 ORDER BY revision LIMIT ?3"
);
/// Rows of a correlation after a position, with a limit.
pub(crate) const SELECT_CORRELATION: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM events WHERE correlation_id = ?1 AND position > ?2 ORDER BY position LIMIT ?3"
);
/// Where the events of a stream behind a revision stand, and which command made each.
pub(crate) const SELECT_COMMANDS_BEHIND: &str =
    "SELECT revision, position, command_id FROM events WHERE stream = ?1 AND revision > ?2 ORDER BY revision";
/// The row of an event.
pub(crate) const SELECT_EVENT: &str = concat!("SELECT ", columns!(), " FROM events WHERE event_id = ?1");
/// A new row.
pub(crate) const INSERT: &str = concat!(
    "INSERT INTO events (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
);

/// CRC-32 over every column but the checksum: first those of a fixed size, with the lengths of all
/// others, then the others, in the order of the table. An id or hash that is not there has length 0,
/// which none that is there has. `reply_to` comes last and only where it is there: rows of format 1 have
/// none.
pub(crate) fn checksum(position: Position, stream: &StreamName, revision: Revision, event: &NewEvent) -> u32 {
    let causation_id = event.causation_id.as_ref().map_or(&[][..], |id| id.0.as_bytes());
    let request_hash = event.request_hash.as_ref().map_or(&[][..], |hash| &hash.0);
    let others = [
        stream.as_str().as_bytes(),
        event.event_type.as_bytes(),
        event.actor.as_str().as_bytes(),
        event.correlation_id.as_str().as_bytes(),
        causation_id,
        request_hash,
        event.content_type.as_bytes(),
        &event.data,
    ];
    // Gathered first: many small updates cost more than one.
    let mut fixed = [0; 8 + 8 + 8 + 2 + 16 + 16 + 8 * 8];
    let mut end = 0;
    let mut add = |bytes: &[u8]| {
        fixed[end..end + bytes.len()].copy_from_slice(bytes);
        end += bytes.len();
    };
    add(&position.0.to_le_bytes());
    add(&revision.0.to_le_bytes());
    add(&event.recorded_at.as_microsecond().to_le_bytes());
    add(&event.schema_version.to_le_bytes());
    add(event.id.0.as_bytes());
    add(event.command_id.0.as_bytes());
    for other in others {
        add(&(other.len() as u64).to_le_bytes());
    }
    let mut hasher = crc32fast::Hasher::new();
    hasher.update(&fixed);
    for other in others {
        hasher.update(other);
    }
    if let Some(reply_to) = &event.reply_to {
        hasher.update(reply_to.to_string().as_bytes());
    }
    hasher.finalize()
}

/// Inserts a row.
pub(crate) fn insert(
    statement: &mut Statement<'_>,
    position: Position,
    stream: &StreamName,
    revision: Revision,
    event: &NewEvent,
) -> rusqlite::Result<()> {
    statement.execute(rusqlite::params![
        to_i64(position.0),
        stream.as_str(),
        to_i64(revision.0),
        event.id.0.as_bytes().as_slice(),
        event.event_type.as_ref(),
        event.schema_version,
        event.recorded_at.as_microsecond(),
        event.actor.as_str(),
        event.correlation_id.as_str(),
        event.causation_id.as_ref().map(|id| id.0.as_bytes().as_slice()),
        event.command_id.0.as_bytes().as_slice(),
        event.request_hash.as_ref().map(|hash| hash.0.as_slice()),
        event.content_type.as_ref(),
        event.data.as_ref(),
        checksum(position, stream, revision, event),
        event.reply_to.as_ref().map(ToString::to_string),
    ])?;
    Ok(())
}

/// SQLite's integers are signed; no log gets near the end of them.
pub(crate) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// What is wrong with a row.
#[derive(Debug)]
pub(crate) struct RowError(pub(crate) String);

/// A column that is not of the type or encoding it should have.
impl From<rusqlite::Error> for RowError {
    fn from(error: rusqlite::Error) -> Self {
        Self(format!("a column is malformed: {error}"))
    }
}

impl From<FromSqlError> for RowError {
    fn from(error: FromSqlError) -> Self {
        Self(format!("a column is malformed: {error}"))
    }
}

/// Reads a row of [`columns!`] and holds it to its checksum.
pub(crate) fn read_checked(row: &Row<'_>) -> Result<RecordedEvent, RowError> {
    let stored: u32 = row.get(14)?;
    let event = read(row)?;
    let computed = checksum(event.position, &event.stream, event.revision, &event.event);
    if computed == stored { Ok(event) } else { Err(malformed("its checksum does not match its content")) }
}

fn malformed(what: &str) -> RowError {
    RowError(what.to_owned())
}

fn read(row: &Row<'_>) -> Result<RecordedEvent, RowError> {
    let event = NewEvent {
        id: EventId(id(row, 3)?.ok_or_else(|| malformed("its event id is missing"))?),
        event_type: text(row, 4)?.to_owned().into(),
        schema_version: row.get(5)?,
        recorded_at: Timestamp::from_microsecond(row.get(6)?)
            .map_err(|_| malformed("its time is malformed"))?,
        actor: Actor::parse(text(row, 7)?),
        correlation_id: CorrelationId::parse(text(row, 8)?)
            .ok_or_else(|| malformed("its correlation id is malformed"))?,
        causation_id: id(row, 9)?.map(EventId),
        command_id: CommandId(id(row, 10)?.ok_or_else(|| malformed("its command id is missing"))?),
        request_hash: request_hash(row)?,
        reply_to: reply_to(row)?,
        content_type: text(row, 12)?.to_owned().into(),
        data: Bytes::copy_from_slice(row.get_ref(13)?.as_blob()?),
    };
    let stream = StreamName::parse(text(row, 1)?).map_err(|_| malformed("its stream's name is malformed"))?;
    Ok(RecordedEvent { position: Position(row.get(0)?), stream, revision: Revision(row.get(2)?), event })
}

fn text<'row>(row: &'row Row<'_>, column: usize) -> Result<&'row str, RowError> {
    Ok(row.get_ref(column)?.as_str()?)
}

fn id(row: &Row<'_>, column: usize) -> Result<Option<Uuid>, RowError> {
    let bytes = row.get_ref(column)?.as_blob_or_null()?;
    bytes.map(Uuid::from_slice).transpose().map_err(|_| malformed("an id has not 16 bytes"))
}

fn reply_to(row: &Row<'_>) -> Result<Option<ReplyTo>, RowError> {
    let Some(text) = row.get_ref(15)?.as_str_or_null()? else { return Ok(None) };
    ReplyTo::parse(text).map(Some).ok_or_else(|| malformed("its reply-to is malformed"))
}

fn request_hash(row: &Row<'_>) -> Result<Option<RequestHash>, RowError> {
    let bytes = row.get_ref(11)?.as_blob_or_null()?;
    let hash = bytes.map(<[u8; 16]>::try_from).transpose();
    Ok(hash.map_err(|_| malformed("its request hash has not 16 bytes"))?.map(RequestHash))
}
