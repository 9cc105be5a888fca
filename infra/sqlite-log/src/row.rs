//! Rows of the table `events`: reading, writing and checksums.

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::types::FromSqlError;
use rusqlite::{Connection, Row, Statement};
use souk_eventsourcing::{
    Actor, CommandId, CorrelationId, EventId, NewEvent, Position, RecordedEvent, ReplyTo, RequestHash,
    Revision, StreamName,
};
use uuid::Uuid;

/// All columns, in the order of the table `events`.
macro_rules! columns {
    () => {
        "position, stream, revision, event_id, event_type, schema_version, recorded_at_us, actor, \
         correlation_id, causation_id, command_id, request_hash, content_type, data, checksum, reply_to"
    };
}

/// Returns the SQL that copies the events of an attached database, after position ?1 and up to ?2. The
/// attached database may have format 1, which has no column `reply_to`.
pub(crate) fn copy_rows(connection: &Connection, from: &str) -> rusqlite::Result<String> {
    let reply_to = if has_reply_to(connection, from)? { "reply_to" } else { "NULL" };
    let columns = columns!();
    let copied = columns.replace("reply_to", reply_to);
    Ok(format!(
        "INSERT INTO main.events ({columns}) SELECT {copied} FROM {from}.events \
         WHERE position > ?1 AND position <= ?2 ORDER BY position"
    ))
}

/// Returns true if the table `events` of an attached database has the column `reply_to`, as in format 2.
pub(crate) fn has_reply_to(connection: &Connection, database: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT count(*) FROM pragma_table_info('events', ?1) WHERE name = 'reply_to'";
    connection.query_row(sql, [database], |row| row.get(0))
}

/// Reads the rows after position ?1 and up to ?2; ?3 is the limit.
pub(crate) const SELECT_ALL: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM events WHERE position > ?1 AND position <= ?2 ORDER BY position LIMIT ?3"
);
/// Reads the rows of stream ?1 from revision ?2 on; ?3 is the limit.
pub(crate) const SELECT_STREAM: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM events WHERE stream = ?1 AND revision >= ?2 ORDER BY revision LIMIT ?3"
);
/// Reads the rows of correlation ?1 after position ?2; ?3 is the limit.
pub(crate) const SELECT_CORRELATION: &str = concat!(
    "SELECT ",
    columns!(),
    " FROM events WHERE correlation_id = ?1 AND position > ?2 ORDER BY position LIMIT ?3"
);
/// Reads revision, position and command id of the events of stream ?1 after revision ?2.
pub(crate) const SELECT_COMMANDS_AFTER: &str =
    "SELECT revision, position, command_id FROM events WHERE stream = ?1 AND revision > ?2 ORDER BY revision";
/// Reads the row of event id ?1.
pub(crate) const SELECT_EVENT: &str = concat!("SELECT ", columns!(), " FROM events WHERE event_id = ?1");
/// Inserts one row.
pub(crate) const INSERT: &str = concat!(
    "INSERT INTO events (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)"
);

/// Returns the CRC-32 of all columns except the checksum. It covers the columns of fixed size first, then the
/// lengths of the other columns, then these columns, in the order of the table. A missing id or hash has
/// length 0. `reply_to` comes last, and only if it is present, because rows of format 1 do not have it.
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
    // Collected into one buffer, because one update of the hasher is faster than many small ones.
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

/// Inserts one event with its checksum.
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

/// Converts a number for SQLite, whose integers are signed. Positions never get near the limit.
pub(crate) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Description of the damage in a row.
#[derive(Debug)]
pub(crate) struct RowError(pub(crate) String);

/// A column has the wrong type or encoding.
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

/// Reads a row of [`columns!`] and verifies its checksum.
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
    bytes.map(Uuid::from_slice).transpose().map_err(|_| malformed("an id does not have 16 bytes"))
}

fn reply_to(row: &Row<'_>) -> Result<Option<ReplyTo>, RowError> {
    let Some(text) = row.get_ref(15)?.as_str_or_null()? else { return Ok(None) };
    ReplyTo::parse(text).map(Some).ok_or_else(|| malformed("its reply-to is malformed"))
}

fn request_hash(row: &Row<'_>) -> Result<Option<RequestHash>, RowError> {
    let bytes = row.get_ref(11)?.as_blob_or_null()?;
    let hash = bytes.map(<[u8; 16]>::try_from).transpose();
    Ok(hash.map_err(|_| malformed("its request hash does not have 16 bytes"))?.map(RequestHash))
}
