//! Event payloads and their encoding.
//!
//! A payload is a struct with named fields, so that each has an Avro form: enums are strings, optional
//! fields have a default, nothing is untagged or flattened. The type's name stands in the envelope, not
//! in the payload. [`crate::event_enum`] makes an aggregate's enum out of such structs.

use bytes::Bytes;

/// Stored bytes that are no event of the expected kind.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// No such type here.
    #[error("event type `{event_type}` is not known here")]
    UnknownType {
        /// The type in the envelope.
        event_type: String,
    },
    /// A shape from a newer program.
    #[error("event type `{event_type}` has schema version {version}, this program reads up to {known}")]
    UnknownVersion {
        /// The type in the envelope.
        event_type: String,
        /// The version in the envelope.
        version: u16,
        /// The newest version this program reads.
        known: u16,
    },
    /// The bytes don't have the shape that the envelope says.
    #[error("payload of `{event_type}` does not decode: {reason}")]
    Malformed {
        /// The type in the envelope.
        event_type: String,
        /// What the decoder said.
        reason: String,
    },
}

/// The events of one aggregate.
pub trait EventPayload: Sized + Clone + Send + Sync + 'static {
    /// As in `stock.reserved`.
    fn event_type(&self) -> &'static str;
    /// The version of the shape that [`EventPayload::encode`] writes.
    fn schema_version(&self) -> u16;
    /// The payload as JSON.
    fn encode(&self) -> Bytes;
    /// Reads a payload of any version so far, brought up to today's shape.
    fn decode(event_type: &str, version: u16, data: &[u8]) -> Result<Self, DecodeError>;
    /// All types of the aggregate, in the order of the enum.
    fn event_types() -> &'static [&'static str];
}

/// Encodes a payload struct.
///
/// # Panics
/// Never for payload structs: they have string keys and no failing serializers.
pub fn encode_json<T: serde::Serialize>(payload: &T) -> Bytes {
    serde_json::to_vec(payload).expect("payload structs always serialize").into()
}

/// Decodes a payload struct.
pub fn decode_json<T: serde::de::DeserializeOwned>(event_type: &str, data: &[u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(data).map_err(|error| DecodeError::Malformed {
        event_type: event_type.to_owned(),
        reason: error.to_string(),
    })
}

/// Makes an aggregate's event enum out of payload structs, with the name and version of each:
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// pub struct Opened { pub owner: String }
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// pub struct Closed { pub reason: String }
///
/// souk_eventsourcing::event_enum! {
///     /// What happens to an account.
///     pub enum AccountEvent {
///         Opened = "account.opened" v 1,
///         Closed = "account.closed" v 1,
///     }
/// }
/// ```
#[macro_export]
macro_rules! event_enum {
    ($(#[$doc:meta])* $visibility:vis enum $name:ident { $($variant:ident = $event_type:literal v $version:literal),+ $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Debug, PartialEq)]
        $visibility enum $name {
            $(
                #[doc = concat!("`", $event_type, "`")]
                $variant($variant),
            )+
        }

        $(
            impl From<$variant> for $name {
                fn from(event: $variant) -> Self {
                    Self::$variant(event)
                }
            }
        )+

        impl $crate::EventPayload for $name {
            fn event_type(&self) -> &'static str {
                match self {
                    $(Self::$variant(_) => $event_type,)+
                }
            }

            fn schema_version(&self) -> u16 {
                match self {
                    $(Self::$variant(_) => $version,)+
                }
            }

            fn encode(&self) -> $crate::payload::Encoded {
                match self {
                    $(Self::$variant(event) => $crate::payload::encode_json(event),)+
                }
            }

            fn decode(event_type: &str, version: u16, data: &[u8]) -> Result<Self, $crate::DecodeError> {
                match event_type {
                    $(
                        $event_type if version == $version => {
                            $crate::payload::decode_json(event_type, data).map(Self::$variant)
                        }
                        $event_type => Err($crate::DecodeError::UnknownVersion {
                            event_type: event_type.to_owned(),
                            version,
                            known: $version,
                        }),
                    )+
                    _ => Err($crate::DecodeError::UnknownType { event_type: event_type.to_owned() }),
                }
            }

            fn event_types() -> &'static [&'static str] {
                &[$($event_type),+]
            }
        }
    };
}

/// Encoded payload bytes.
pub type Encoded = Bytes;
