//! The kernel: what an event is, where events are kept, and how commands, processes and read models
//! turn one event into the next.
//!
//! It knows nothing of shops. It has contracts (traits that a domain or an engine implements) and
//! runtimes, and the runtimes are *step functions*: they take what happened and the time, and return
//! what is to be done. No task, thread, channel, clock or random number is in here; thin drivers give
//! them those, so that a simulation can run the very same code, crash it between any two steps, and
//! repeat the run exactly.

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

/// Instants are UTC with microseconds, written as RFC 3339.
pub use jiff::Timestamp;
