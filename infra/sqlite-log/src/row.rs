//! A row of the log: reading, writing, checksum.

use bytes::Bytes;
use jiff::Timestamp;
use rusqlite::{Row, Statement};
use souk_eventsourcing::{
    Actor, CommandId, CorrelationId, EventId, NewEvent, Position, RecordedEvent, RequestHash, Revision,
    StreamName,
};
use uuid::Uuid;

/// All columns, in the order of the table.
macro_rules! columns {
    () => {
        "position, stream, revision, event_id, event_type, schema_version, recorded_at_us, actor, \
         correlation_id, causation_id, command_id, request_hash, content_type, data, checksum"
    };
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
/// The row of an event.
pub(crate) const SELECT_EVENT: &str = concat!("SELECT ", columns!(), " FROM events WHERE event_id = ?1");
/// A new row.
pub(crate) const INSERT: &str = concat!(
    "INSERT INTO events (",
    columns!(),
    ") VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)"
);

/// CRC-32 over every column but the checksum, each with its length before it.
pub(crate) fn checksum(position: Position, stream: &StreamName, revision: Revision, event: &NewEvent) -> u32 {
    let mut hasher = crc32fast::Hasher::new();
    let mut add = |bytes: &[u8]| {
        hasher.update(&(bytes.len() as u64).to_le_bytes());
        hasher.update(bytes);
    };
    add(&position.0.to_le_bytes());
    add(stream.as_str().as_bytes());
    add(&revision.0.to_le_bytes());
    add(event.id.0.as_bytes());
    add(event.event_type.as_bytes());
    add(&event.schema_version.to_le_bytes());
    add(&event.recorded_at.as_microsecond().to_le_bytes());
    add(event.actor.as_str().as_bytes());
    add(event.correlation_id.as_str().as_bytes());
    add(event.causation_id.as_ref().map_or(&[], |id| id.0.as_bytes()));
    add(event.command_id.0.as_bytes());
    add(event.request_hash.as_ref().map_or(&[], |hash| &hash.0));
    add(event.content_type.as_bytes());
    add(&event.data);
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
    ])?;
    Ok(())
}

/// SQLite's integers are signed; no log gets near the end of them.
pub(crate) fn to_i64(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

/// Reads a row. The outer error is SQLite's, the inner one says what is wrong with the row.
pub(crate) fn read_checked(row: &Row<'_>) -> rusqlite::Result<Result<RecordedEvent, String>> {
    let stored: u32 = row.get(14)?;
    let event = match read(row)? {
        Ok(event) => event,
        Err(what) => return Ok(Err(what)),
    };
    let computed = checksum(event.position, &event.stream, event.revision, &event.event);
    Ok(if computed == stored { Ok(event) } else { Err("its checksum does not match its content".to_owned()) })
}

fn read(row: &Row<'_>) -> rusqlite::Result<Result<RecordedEvent, String>> {
    let text = |index| row.get_ref(index).and_then(|value| Ok(value.as_str()?));
    let uuid = |index| row.get_ref(index).and_then(|value| Ok(value.as_blob_or_null()?.map(Uuid::from_slice)));
    let stream = StreamName::parse(text(1)?);
    let event_id = uuid(3)?;
    let recorded_at = Timestamp::from_microsecond(row.get(6)?);
    let correlation_id = CorrelationId::parse(text(8)?);
    let causation_id = uuid(9)?.transpose();
    let command_id = uuid(10)?;
    let request_hash = row.get_ref(11)?.as_blob_or_null()?.map(<[u8; 16]>::try_from).transpose();
    let (Ok(stream), Some(Ok(event_id)), Ok(recorded_at), Some(correlation_id)) =
        (stream, event_id, recorded_at, correlation_id)
    else {
        return Ok(Err("its stream, id, time or correlation is malformed".to_owned()));
    };
    let (Ok(causation_id), Some(Ok(command_id)), Ok(request_hash)) = (causation_id, command_id, request_hash)
    else {
        return Ok(Err("its causation, command or request hash is malformed".to_owned()));
    };
    let event = NewEvent {
        id: EventId(event_id),
        event_type: text(4)?.to_owned().into(),
        schema_version: row.get(5)?,
        recorded_at,
        actor: Actor::parse(text(7)?),
        correlation_id,
        causation_id: causation_id.map(EventId),
        command_id: CommandId(command_id),
        request_hash: request_hash.map(RequestHash),
        content_type: text(12)?.to_owned().into(),
        data: Bytes::copy_from_slice(row.get_ref(13)?.as_blob()?),
    };
    let (position, revision) = (Position(row.get(0)?), Revision(row.get(2)?));
    Ok(Ok(RecordedEvent { position, stream, revision, event }))
}
