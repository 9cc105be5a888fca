//! The event-sourcing kernel: events, the event-store port, and the runtimes of commands, processes and
//! read models.
//!
//! The kernel contains nothing about shops. It defines contracts (traits that a domain or a storage
//! engine implements) and runtimes. Each runtime is a *step function*: it takes an input and the current
//! time, and returns the actions that the driver must carry out.
//!
//! Invariant: no runtime uses a task, thread, channel, clock or random number. A small driver outside
//! this crate supplies them. A simulation can therefore run the same code, crash it between any two
//! steps, and repeat the run exactly.
//!
//! On failure: the log is the only source of truth. A runtime that loses its memory reads the log again
//! and continues. A command that is sent twice is carried out once, because ids are derived from their
//! cause ([`id`]).

pub mod causation;
pub mod clock;
pub mod command;
#[cfg(feature = "conformance")]
pub mod conformance;
pub mod decider;
pub mod envelope;
pub mod executor;
pub mod follower;
pub mod id;
pub mod log_pace;
pub mod parking;
pub mod payload;
pub mod personal;
pub mod process;
pub mod process_runtime;
pub mod projection_runtime;
pub mod projector;
pub mod reactor;
pub mod retry;
pub mod store;
pub mod subscription;
pub mod testkit;

pub use clock::Clock;
pub use command::{CommandError, CommandPort, CommandRequest, Completion, IfMatch, Loaded, Outcome};
pub use decider::{Context, Decider, Rejection};
pub use envelope::{Actor, NewEvent, RecordedEvent, ReplyTo};
pub use id::{
    CommandId, CorrelationId, EventId, Position, RequestHash, Revision, StreamName, StreamNameError,
};
pub use payload::{DecodeError, EventPayload};
pub use personal::{KeyRing, KeysUnavailable, Person, PersonIndex, PersonKeys, Personal};
pub use store::{Append, AppendError, Appended, EventStore, Expected, Filter, Page, StoreError};
pub use subscription::Subscription;

/// Instant in UTC with microsecond precision, written in RFC 3339 format.
pub use jiff::Timestamp;
