//! Stream names, revisions, positions, and ids of events and commands.
//!
//! Invariants: no id is random in this crate. A driver creates a new id (UUIDv7), or this module derives
//! an id (UUIDv8) from its cause. A repeat after a crash therefore finds the same streams and events. A
//! derived id keeps the first 48 bits of its origin, which hold the time in milliseconds. Ids of about the
//! same time are thus next to each other in an index, and appends stay fast on a log of millions of events.
//!
//! On failure: a text that is not a valid stream name is rejected with [`StreamNameError`].

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// Maximum length of a stream name, in bytes.
pub const STREAM_NAME_BYTES_MAX: usize = 300;

/// Name of a stream: a category, a dash, and an id, as in `stock-85123A`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Arc<str>);

/// Error for a text that is not a valid stream name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is not a stream name; use a category in lower-case letters, a dash and an id, at most {STREAM_NAME_BYTES_MAX} bytes"
)]
pub struct StreamNameError {
    /// Rejected text, cut to [`STREAM_NAME_BYTES_MAX`] characters.
    pub name: String,
}

impl StreamName {
    /// Name of the stream of `id` in `category`. A category consists of lower-case letters.
    ///
    /// # Panics
    /// If `category` is empty or contains a dash. The category ends at the first dash of the name.
    pub fn new(category: &str, id: &str) -> Self {
        assert!(
            !category.is_empty() && !category.contains('-'),
            "a category is not empty and contains no dash: `{category}`"
        );
        Self(format!("{category}-{id}").into())
    }

    /// Parses the text that [`fmt::Display`] writes.
    pub fn parse(name: &str) -> Result<Self, StreamNameError> {
        let invalid = || StreamNameError { name: name.chars().take(STREAM_NAME_BYTES_MAX).collect() };
        let (category, id) = name.split_once('-').ok_or_else(invalid)?;
        let category_is_plain = !category.is_empty() && category.bytes().all(|b| b.is_ascii_lowercase());
        if !category_is_plain || id.is_empty() || name.len() > STREAM_NAME_BYTES_MAX {
            return Err(invalid());
        }
        Ok(Self(name.into()))
    }

    /// Part of the name before the first dash.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(category, _)| category)
    }

    /// Part of the name after the first dash.
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }

    /// Complete name as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for StreamName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for StreamName {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.0)
    }
}

impl<'de> Deserialize<'de> for StreamName {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        Self::parse(&name).map_err(serde::de::Error::custom)
    }
}

/// Number of an event in its stream, from 0, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision(pub u64);

impl Revision {
    /// Revision of a stream's first event.
    pub const FIRST: Self = Self(0);

    /// Revision of the following event.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// Revision of the event after `last`. `last` is `None` for a stream without events.
    pub fn after(last: Option<Self>) -> Self {
        last.map_or(Self::FIRST, Self::next)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Number of an event in the whole log. Positions increase strictly, may have gaps, and depend on the
/// storage engine. No event payload may contain a position.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position(pub u64);

impl Position {
    /// Position before the first event.
    pub const START: Self = Self(0);
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

macro_rules! uuid_newtype {
    ($(#[$doc:meta])* $name:ident) => {
        $(#[$doc])*
        #[derive(
            Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize,
        )]
        pub struct $name(pub Uuid);

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }
    };
}

uuid_newtype!(
    /// Id of an event, derived from stream, command id and ordinal. A unique index of these ids rejects a
    /// repeated append.
    EventId
);
uuid_newtype!(
    /// Id of a command. A new command gets a new id. A command whose repeat must be recognised gets a
    /// derived id.
    CommandId
);

impl EventId {
    /// Id of the event number `ordinal`, from 0, that `command` appends to `stream`.
    pub fn derive(stream: &StreamName, command: CommandId, ordinal: u32) -> Self {
        Self(derive(command.0, &[b"event", stream.as_str().as_bytes(), &ordinal.to_be_bytes()]))
    }
}

impl CommandId {
    /// Derives a command id from `parts` alone, so that the same parts always give the same id. The parts
    /// are, for example, an idempotency key, or a verb and a reservation.
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(derive(Uuid::nil(), parts))
    }

    /// Id of the command that a process sends as output number `ordinal` of `transition`.
    pub fn of_output(transition: EventId, ordinal: u32) -> Self {
        Self(derive(transition.0, &[b"output", &ordinal.to_be_bytes()]))
    }

    /// Derives the id of an object that this command creates. `what` names the object, so that a command can
    /// create several.
    pub fn derived_id(self, what: &str) -> Uuid {
        derive(self.0, &[b"creates", what.as_bytes()])
    }

    /// Derives the id of a follow-up command on another stream. `what` names the follow-up command.
    pub fn follow_up(self, what: &str) -> Self {
        Self(derive(self.0, &[b"step", what.as_bytes()]))
    }
}

/// Id that all events of one request share. The client supplies it as opaque text, or the program creates
/// one.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct CorrelationId(Arc<str>);

/// Maximum length of a correlation id, in bytes.
pub const CORRELATION_ID_BYTES_MAX: usize = 128;

impl CorrelationId {
    /// Parses a text of 1 to [`CORRELATION_ID_BYTES_MAX`] visible ASCII characters. Returns `None` for any
    /// other text.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = (1..=CORRELATION_ID_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic());
        allowed.then(|| Self(text.into()))
    }

    /// Correlation id as text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<Uuid> for CorrelationId {
    fn from(id: Uuid) -> Self {
        Self(id.to_string().into())
    }
}

impl fmt::Display for CorrelationId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Keyed hash of a request's body. It shows if two requests with the same idempotency key have the same
/// content, and does not reveal the content to a reader without the hash key.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestHash(pub [u8; 16]);

impl RequestHash {
    /// Hashes `parts` with keyed BLAKE3 and keeps the first 16 bytes. The length of each part is hashed
    /// before the part.
    pub fn of(key: &[u8; 32], parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        update_with_lengths(&mut hasher, parts);
        Self(first_16_bytes(&hasher))
    }
}

/// Derives a UUIDv8: the first 48 bits of `from` (the milliseconds of a UUIDv7), followed by a BLAKE3 hash
/// of `from` and `parts`. If `from` is the nil UUID, the hash fills the whole id.
pub fn derive(from: Uuid, parts: &[&[u8]]) -> Uuid {
    let mut hasher = blake3::Hasher::new();
    hasher.update(from.as_bytes());
    update_with_lengths(&mut hasher, parts);
    let mut bytes = first_16_bytes(&hasher);
    if !from.is_nil() {
        bytes[..6].copy_from_slice(&from.as_bytes()[..6]);
    }
    Uuid::new_v8(bytes)
}

fn update_with_lengths(hasher: &mut blake3::Hasher, parts: &[&[u8]]) {
    for part in parts {
        hasher.update(&(part.len() as u64).to_be_bytes());
        hasher.update(part);
    }
}

fn first_16_bytes(hasher: &blake3::Hasher) -> [u8; 16] {
    let mut bytes = [0; 16];
    hasher.finalize_xof().fill(&mut bytes);
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_dash_of_a_stream_name_separates_category_and_id() {
        let name = StreamName::new("claim", "sku-85123-A");
        assert_eq!((name.category(), name.id()), ("claim", "sku-85123-A"));
        assert_eq!(StreamName::parse("claim-sku-85123-A"), Ok(name));
    }

    #[test]
    fn invalid_stream_names_are_rejected() {
        for text in ["", "stock", "-x", "stock-", "Stock-1", "st0ck-1", &format!("stock-{}", "x".repeat(300))]
        {
            assert!(StreamName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn derived_ids_keep_the_time_of_their_origin_and_depend_on_every_part() {
        let origin = Uuid::from_u128(0x0199_c2aa_bbcc_7000_8000_0000_0000_0001);
        let stream = StreamName::new("stock", "a");
        let first = EventId::derive(&stream, CommandId(origin), 0);
        assert_eq!(first.0.as_bytes()[..6], origin.as_bytes()[..6]);
        assert_eq!(first, EventId::derive(&stream, CommandId(origin), 0));
        assert_ne!(first, EventId::derive(&stream, CommandId(origin), 1));
        assert_ne!(first, EventId::derive(&StreamName::new("stock", "b"), CommandId(origin), 0));
    }

    #[test]
    fn derived_ids_depend_on_the_borders_between_parts() {
        assert_ne!(CommandId::of(&[b"ab", b"c"]), CommandId::of(&[b"a", b"bc"]));
    }
}
