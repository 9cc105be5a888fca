//! Event payloads and their JSON encoding.
//!
//! Invariants: a payload is a struct with named fields that can also be expressed in Avro. Enums are
//! strings, optional fields have a default, and no serde type is untagged or flattened. The event type
//! is part of the envelope and not of the payload. [`crate::event_enum`] makes the event enum of an
//! aggregate from such structs.
//!
//! On failure: bytes that can't be decoded give a [`DecodeError`]; they stay in the log unchanged.

use bytes::Bytes;

/// Reason why a stored payload can't be decoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The aggregate has no event of this type.
    #[error("event type `{event_type}` is not known here")]
    UnknownType {
        /// Event type in the envelope.
        event_type: String,
    },
    /// A newer version of the program wrote the payload.
    #[error("event type `{event_type}` has schema version {version}, this program reads up to {known}")]
    UnknownVersion {
        /// Event type in the envelope.
        event_type: String,
        /// Schema version in the envelope.
        version: u16,
        /// Newest schema version that this program can read.
        known: u16,
    },
    /// The bytes do not match the event type and schema version in the envelope.
    #[error("payload of `{event_type}` does not decode: {reason}")]
    Malformed {
        /// Event type in the envelope.
        event_type: String,
        /// Error message of the JSON decoder.
        reason: String,
    },
}

/// Events of one kind of aggregate, with their encoding.
pub trait EventPayload: Sized + Clone + Send + Sync + 'static {
    /// Returns the event type, as in `stock.reserved`.
    fn event_type(&self) -> &'static str;
    /// Returns the schema version that [`EventPayload::encode`] writes.
    fn schema_version(&self) -> u16;
    /// Returns the payload as JSON.
    fn encode(&self) -> Bytes;
    /// Decodes a payload of any released schema version, and converts it to the current version.
    fn decode(event_type: &str, version: u16, data: &[u8]) -> Result<Self, DecodeError>;
    /// Returns all event types of the aggregate, in the order of the enum.
    fn event_types() -> &'static [&'static str];
}

/// Encodes a payload struct as JSON.
///
/// # Panics
/// Never for payload structs, since they have string keys and their serializers do not fail.
pub fn encode_json<T: serde::Serialize>(payload: &T) -> Bytes {
    serde_json::to_vec(payload).expect("payload structs always serialize").into()
}

/// Decodes a payload struct from JSON. `event_type` is used in the error.
pub fn decode_json<T: serde::de::DeserializeOwned>(event_type: &str, data: &[u8]) -> Result<T, DecodeError> {
    serde_json::from_slice(data).map_err(|error| DecodeError::Malformed {
        event_type: event_type.to_owned(),
        reason: error.to_string(),
    })
}

/// Defines the event enum of an aggregate from payload structs, each with its event type and schema version:
///
/// ```
/// # use serde::{Deserialize, Serialize};
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// pub struct Opened { pub owner: String }
/// #[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
/// pub struct Closed { pub reason: String }
///
/// souk_eventsourcing::event_enum! {
///     /// Events of an account.
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

/// Bytes of an encoded payload, for use in [`crate::event_enum`].
pub type Encoded = Bytes;
