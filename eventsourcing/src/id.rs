//! Names and ids.
//!
//! Ids are never random in here: they are minted by a driver (UUIDv7) or derived (UUIDv8) from what
//! caused them, so that a repeat after a crash finds the same streams and the same events. A derived
//! id keeps the 48-bit millisecond prefix of the id it comes from: ids made at about the same time
//! then lie together in an index, which is what keeps appends fast on a log of millions of events.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use uuid::Uuid;

/// The longest stream name, in bytes.
pub const STREAM_NAME_BYTES_MAX: usize = 300;

/// The name of a stream: a category, a dash, and an id, as in `stock-85123A`.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct StreamName(Arc<str>);

/// Why a text is no stream name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "`{name}` is no stream name: a category in lower-case letters, a dash and an id, at most {STREAM_NAME_BYTES_MAX} bytes"
)]
pub struct StreamNameError {
    /// The text that was refused.
    pub name: String,
}

impl StreamName {
    /// The stream of `id` in `category`. A category has lower-case letters only.
    ///
    /// # Panics
    /// When `category` holds a dash, since the name could then not be taken apart again.
    pub fn new(category: &str, id: &str) -> Self {
        assert!(!category.is_empty() && !category.contains('-'), "a category has no dash: `{category}`");
        Self(format!("{category}-{id}").into())
    }

    /// Reads a name as [`fmt::Display`] writes it.
    pub fn parse(name: &str) -> Result<Self, StreamNameError> {
        let refused = || StreamNameError { name: name.chars().take(STREAM_NAME_BYTES_MAX).collect() };
        let (category, id) = name.split_once('-').ok_or_else(refused)?;
        let category_is_plain = !category.is_empty() && category.bytes().all(|b| b.is_ascii_lowercase());
        if !category_is_plain || id.is_empty() || name.len() > STREAM_NAME_BYTES_MAX {
            return Err(refused());
        }
        Ok(Self(name.into()))
    }

    /// What stands before the first dash.
    pub fn category(&self) -> &str {
        self.0.split_once('-').map_or(&self.0, |(category, _)| category)
    }

    /// What stands behind the first dash.
    pub fn id(&self) -> &str {
        self.0.split_once('-').map_or("", |(_, id)| id)
    }

    /// The whole name.
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

/// The place of an event in its stream, from 0, without gaps.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Revision(pub u64);

impl Revision {
    /// The revision of a stream's first event.
    pub const FIRST: Self = Self(0);

    /// The revision that follows.
    pub fn next(self) -> Self {
        Self(self.0 + 1)
    }

    /// The revision that follows `last`, which is `None` for a stream without events.
    pub fn after(last: Option<Self>) -> Self {
        last.map_or(Self::FIRST, Self::next)
    }
}

impl fmt::Display for Revision {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// The place of an event in the whole log: strictly increasing, not always without gaps, different
/// from engine to engine. Nothing in an event may refer to one.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Position(pub u64);

impl Position {
    /// Before the first event.
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
    /// One event. Derived from (stream, command id, ordinal): an index over it refuses a repeat.
    EventId
);
uuid_newtype!(
    /// One command. Minted when it is new, derived when a repeat must be recognised.
    CommandId
);

impl EventId {
    /// The id of the `ordinal`-th event that `command` appends to `stream`.
    pub fn derive(stream: &StreamName, command: CommandId, ordinal: u32) -> Self {
        Self(derive(command.0, &[b"event", stream.as_str().as_bytes(), &ordinal.to_be_bytes()]))
    }
}

impl CommandId {
    /// A command id that is the same for the same `parts`, whenever it is made: of an idempotency key,
    /// or of a verb and the reservation it is about.
    pub fn of(parts: &[&[u8]]) -> Self {
        Self(derive(Uuid::nil(), parts))
    }

    /// The command that output `ordinal` of the transition `transition` asks for.
    pub fn of_output(transition: EventId, ordinal: u32) -> Self {
        Self(derive(transition.0, &[b"output", &ordinal.to_be_bytes()]))
    }

    /// The id of a thing that this command creates; `what` tells several apart.
    pub fn creates(self, what: &str) -> Uuid {
        derive(self.0, &[b"creates", what.as_bytes()])
    }

    /// A command that is a further step of this one, on another stream.
    pub fn step(self, what: &str) -> Self {
        Self(derive(self.0, &[b"step", what.as_bytes()]))
    }
}

/// What ties together everything that one request set off: opaque text of its sender, or minted.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct CorrelationId(Arc<str>);

/// The longest correlation id, in bytes.
pub const CORRELATION_ID_BYTES_MAX: usize = 128;

impl CorrelationId {
    /// Takes 1 to [`CORRELATION_ID_BYTES_MAX`] visible ASCII characters.
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = (1..=CORRELATION_ID_BYTES_MAX).contains(&text.len())
            && text.bytes().all(|b| b.is_ascii_graphic());
        allowed.then(|| Self(text.into()))
    }

    /// The text.
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

/// A keyed hash of a request's body: tells whether a repeated key came with the same request, and
/// tells nobody without the key what was in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct RequestHash(pub [u8; 16]);

impl RequestHash {
    /// BLAKE3 in keyed mode, its first 16 bytes. Every part is hashed with its length before it.
    pub fn of(key: &[u8; 32], parts: &[&[u8]]) -> Self {
        let mut hasher = blake3::Hasher::new_keyed(key);
        update_with_lengths(&mut hasher, parts);
        Self(first_16_bytes(&hasher))
    }
}

/// UUIDv8: the first 48 bits of `from` (for a UUIDv7 its milliseconds), then a BLAKE3 hash of `from`
/// and `parts`. For a nil `from`, a hash alone.
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
    fn a_stream_name_comes_apart_at_its_first_dash() {
        let name = StreamName::new("claim", "sku-85123-A");
        assert_eq!((name.category(), name.id()), ("claim", "sku-85123-A"));
        assert_eq!(StreamName::parse("claim-sku-85123-A"), Ok(name));
    }

    #[test]
    fn texts_that_are_no_stream_names_are_refused() {
        for text in ["", "stock", "-x", "stock-", "Stock-1", "st0ck-1", &format!("stock-{}", "x".repeat(300))]
        {
            assert!(StreamName::parse(text).is_err(), "{text}");
        }
    }

    #[test]
    fn derived_ids_keep_the_time_of_their_origin_and_differ_by_every_part() {
        let origin = Uuid::from_u128(0x0199_c2aa_bbcc_7000_8000_0000_0000_0001);
        let stream = StreamName::new("stock", "a");
        let first = EventId::derive(&stream, CommandId(origin), 0);
        assert_eq!(first.0.as_bytes()[..6], origin.as_bytes()[..6]);
        assert_eq!(first, EventId::derive(&stream, CommandId(origin), 0));
        assert_ne!(first, EventId::derive(&stream, CommandId(origin), 1));
        assert_ne!(first, EventId::derive(&StreamName::new("stock", "b"), CommandId(origin), 0));
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        assert_ne!(CommandId::of(&[b"ab", b"c"]), CommandId::of(&[b"a", b"bc"]));
    }
}
