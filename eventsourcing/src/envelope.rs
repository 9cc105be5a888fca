//! The envelope around an event: who, when, why, and the bytes as they were written.

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

/// The content type of every payload so far.
pub const JSON: &str = "application/json";

/// The type of the event that a keyed command leaves when it changes nothing, so that its repeat is
/// recognised and cannot do something later. Aggregates never see it.
pub const NOTED: &str = "noted";

/// Who asked: `customer:42`, `guest:cart-id`, `admin:ops`, `service:erp`, `process:checkout`,
/// `provider:simulated`.
#[derive(Clone, PartialEq, Eq, Hash, Debug, Serialize, Deserialize)]
pub struct Actor(Arc<str>);

impl Actor {
    /// An actor of a kind, by its opaque id.
    pub fn new(kind: &str, id: &str) -> Self {
        Self(format!("{kind}:{id}").into())
    }

    /// Reads what [`fmt::Display`] writes.
    pub fn parse(text: &str) -> Self {
        Self(text.into())
    }

    /// The whole text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Returns true if the actor is this process.
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

/// The output of a process that an event answers: the stream of the process instance, and the output's id.
/// Written as `checkout-0199c2aa-…:3.0`.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct ReplyTo {
    /// The stream of the instance that asked.
    pub stream: StreamName,
    /// The output.
    pub output: OutputId,
}

impl ReplyTo {
    /// Reads the text that [`fmt::Display`] writes.
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

/// An event before it has a place: everything the writer knows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewEvent {
    /// Derived from stream, command and ordinal.
    pub id: EventId,
    /// As in `stock.reserved`.
    pub event_type: Cow<'static, str>,
    /// The version of the payload's shape, from 1.
    pub schema_version: u16,
    /// When it was decided, by the decider's context. Clocks step: order is by revision and position.
    pub recorded_at: Timestamp,
    /// Who asked.
    pub actor: Actor,
    /// What ties it to the request that set it off.
    pub correlation_id: CorrelationId,
    /// The event that led to the command, when an event did.
    pub causation_id: Option<EventId>,
    /// The command that was decided.
    pub command_id: CommandId,
    /// Tells a repeat of the command from another request under the same key.
    pub request_hash: Option<RequestHash>,
    /// The output of a process that the command answers, when a process asked for it.
    pub reply_to: Option<ReplyTo>,
    /// Of `data`, as in [`JSON`].
    pub content_type: Cow<'static, str>,
    /// The payload, stored and checksummed as these bytes.
    pub data: Bytes,
}

/// An event at its place in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RecordedEvent {
    /// Its place in the log.
    pub position: Position,
    /// Its stream.
    pub stream: StreamName,
    /// Its place in the stream.
    pub revision: Revision,
    /// What was written.
    pub event: NewEvent,
}

impl RecordedEvent {
    /// The payload, in today's shape.
    pub fn decode<E: EventPayload>(&self) -> Result<E, DecodeError> {
        E::decode(&self.event.event_type, self.event.schema_version, &self.event.data)
    }

    /// As in `stock.reserved`.
    pub fn event_type(&self) -> &str {
        &self.event.event_type
    }

    /// Whether it only marks that a command changed nothing.
    pub fn is_noted(&self) -> bool {
        self.event.event_type == NOTED
    }
}

/// What all events of one command have in common; makes their envelopes.
#[derive(Clone, Debug)]
pub struct Origin {
    /// The command.
    pub command_id: CommandId,
    /// Its request's keyed hash, for a command that a client may repeat.
    pub request_hash: Option<RequestHash>,
    /// Who asked.
    pub actor: Actor,
    /// The request it belongs to.
    pub correlation_id: CorrelationId,
    /// The event that led to it.
    pub causation_id: Option<EventId>,
    /// The output of a process that it answers, when a process asked for it.
    pub reply_to: Option<ReplyTo>,
}

impl Origin {
    /// A command that somebody outside asked for, without a key.
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

    /// The same origin for a further command on another stream; `what` tells several apart.
    pub fn step(&self, what: &str) -> Self {
        Self { command_id: self.command_id.step(what), ..self.clone() }
    }

    /// The envelope of this command's `ordinal`-th event on `stream`.
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

    /// The [`NOTED`] event of this command.
    pub fn noted(&self, stream: &StreamName, recorded_at: Timestamp) -> NewEvent {
        self.raw_envelope(stream, 0, NOTED, 1, Bytes::from_static(b"{}"), recorded_at)
    }

    /// An envelope around bytes that were encoded elsewhere.
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
