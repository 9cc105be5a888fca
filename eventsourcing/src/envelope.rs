//! The envelope of an event: ids, actor, time, cause, and the payload as bytes.
//!
//! Invariants: the payload's bytes never change after the append. All events of one command share actor,
//! correlation, cause and command id. The order of events is given by revision and position, not by time.
//!
//! On failure: decoding a payload is a separate step, so an event that can't be decoded can still be read,
//! listed and skipped.

use std::borrow::Cow;
use std::fmt;
use std::sync::Arc;

use bytes::Bytes;
use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::id::{CommandId, CorrelationId, EventId, Position, RequestHash, Revision, StreamName};
use crate::payload::{DecodeError, EventPayload};
use crate::process::OutputId;

/// Content type of JSON payloads, the only one in use.
pub const JSON: &str = "application/json";

/// Type of the event that a repeatable command appends if it changes nothing. The event makes a repeat of the
/// command recognisable, so that the repeat changes nothing either. `evolve` never receives this event.
pub const NOTED: &str = "noted";

/// Sender of a command, as kind and id: `customer:42`, `guest:cart-id`, `admin:ops`, `service:erp`,
/// `process:checkout`, `provider:simulated`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Actor(Arc<str>);

impl Actor {
    /// Makes an actor from a kind and an opaque id.
    pub fn new(kind: &str, id: &str) -> Self {
        Self(format!("{kind}:{id}").into())
    }

    /// Parses the text that [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Self {
        Self(text.into())
    }

    /// Returns kind and id as one text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if the actor is the process with this name.
    pub fn is_process(&self, name: &str) -> bool {
        self.0.strip_prefix("process:") == Some(name)
    }

    /// Returns true if the actor is a provider, such as the payment provider.
    pub fn is_provider(&self) -> bool {
        self.0.starts_with("provider:")
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// Reference to the output of a process that an event answers, written as `checkout-0199c2aa-…:3.0`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReplyTo {
    /// Stream of the process instance that requested the output.
    pub stream: StreamName,
    /// Id of the output within the instance.
    pub output: OutputId,
}

impl ReplyTo {
    /// Parses the text that [`fmt::Display`] writes. Returns `None` for any other text.
    pub fn parse(text: &str) -> Option<Self> {
        let (stream, output) = text.rsplit_once(':')?;
        let output = OutputId::try_from(output.to_owned()).ok()?;
        Some(Self { stream: StreamName::parse(stream).ok()?, output })
    }
}

impl fmt::Display for ReplyTo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.stream, String::from(self.output))
    }
}

/// Event before it has a place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Id of the event, derived from stream, command and ordinal.
    pub id: EventId,
    /// Event type, as in `stock.reserved`.
    pub event_type: Cow<'static, str>,
    /// Version of the payload's schema, from 1.
    pub schema_version: u16,
    /// Time of the decision, from the decider's context. It may be earlier than the time of an earlier event.
    pub recorded_at: Timestamp,
    /// Sender of the command.
    pub actor: Actor,
    /// Id that all events of the same request share.
    pub correlation_id: CorrelationId,
    /// Event that caused the command; `None` if no event did.
    pub causation_id: Option<EventId>,
    /// Command that caused this event.
    pub command_id: CommandId,
    /// Hash that tells a repeat of the command from another request with the same idempotency key.
    pub request_hash: Option<RequestHash>,
    /// Output of a process that the command answers; `None` if no process requested the command.
    pub reply_to: Option<ReplyTo>,
    /// Content type of `data`, as in [`JSON`].
    pub content_type: Cow<'static, str>,
    /// Payload. The log stores exactly these bytes, with a checksum.
    pub data: Bytes,
}

/// Event with its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Place of the event in the whole log.
    pub position: Position,
    /// Stream of the event.
    pub stream: StreamName,
    /// Number of the event in its stream.
    pub revision: Revision,
    /// Envelope and payload, as they were written.
    pub event: NewEvent,
}

impl RecordedEvent {
    /// Decodes the payload, and converts it to the current schema version.
    pub fn decode<E: EventPayload>(&self) -> Result<E, DecodeError> {
        E::decode(&self.event.event_type, self.event.schema_version, &self.event.data)
    }

    /// Returns the event type, as in `stock.reserved`.
    pub fn event_type(&self) -> &str {
        &self.event.event_type
    }

    /// Returns true for a [`NOTED`] event, which records that a command changed nothing.
    pub fn is_noted(&self) -> bool {
        self.event.event_type == NOTED
    }
}

/// Data that all events of one command share. Makes the envelopes of these events.
#[derive(Clone, Debug)]
pub struct Origin {
    /// Id of the command.
    pub command_id: CommandId,
    /// Keyed hash of the request, for a command that a client may repeat.
    pub request_hash: Option<RequestHash>,
    /// Sender of the command.
    pub actor: Actor,
    /// Id that all events of the same request share.
    pub correlation_id: CorrelationId,
    /// Event that caused the command; `None` if no event did.
    pub causation_id: Option<EventId>,
    /// Output of a process that the command answers; `None` if no process requested the command.
    pub reply_to: Option<ReplyTo>,
}

impl Origin {
    /// Makes the origin of a command from outside the program, without an idempotency key.
    pub fn new(command_id: Uuid, actor: Actor, correlation_id: CorrelationId) -> Self {
        Self {
            command_id: CommandId(command_id),
            request_hash: None,
            actor,
            correlation_id,
            causation_id: None,
            reply_to: None,
        }
    }

    /// Makes the origin of a follow-up command on another stream. `what` names the follow-up command.
    pub fn follow_up(&self, what: &str) -> Self {
        Self { command_id: self.command_id.follow_up(what), ..self.clone() }
    }

    /// Makes the envelope of event number `ordinal`, from 0, that this command appends to `stream`.
    pub fn envelope<E: EventPayload>(
        &self,
        stream: &StreamName,
        ordinal: u32,
        event: &E,
        recorded_at: Timestamp,
    ) -> NewEvent {
        self.raw_envelope(
            stream,
            ordinal,
            event.event_type(),
            event.schema_version(),
            event.encode(),
            recorded_at,
        )
    }

    /// Makes the [`NOTED`] event of this command.
    pub fn noted(&self, stream: &StreamName, recorded_at: Timestamp) -> NewEvent {
        self.raw_envelope(stream, 0, NOTED, 1, Bytes::from_static(b"{}"), recorded_at)
    }

    /// Makes the envelope of an event whose payload is already encoded.
    pub fn raw_envelope(
        &self,
        stream: &StreamName,
        ordinal: u32,
        event_type: &'static str,
        schema_version: u16,
        data: Bytes,
        recorded_at: Timestamp,
    ) -> NewEvent {
        NewEvent {
            id: EventId::derive(stream, self.command_id, ordinal),
            event_type: Cow::Borrowed(event_type),
            schema_version,
            recorded_at,
            actor: self.actor.clone(),
            correlation_id: self.correlation_id.clone(),
            causation_id: self.causation_id,
            command_id: self.command_id,
            request_hash: self.request_hash,
            reply_to: self.reply_to.clone(),
            content_type: Cow::Borrowed(JSON),
            data,
        }
    }
}
