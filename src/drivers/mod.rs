//! Drivers: they run the step functions of the kernel with tasks, time and I/O. They make no business
//! decision.
//!
//! A step runs under a lock that is never held during I/O. Tasks carry out the actions of the step, and their
//! results start the next step. If a caller goes away, the work continues.

pub mod dispatch;
pub mod executor;
pub mod finder;
pub mod follow;
pub mod maintenance;
pub mod parked;
pub mod parts;
pub mod passwords;
pub mod processes;
pub mod projections;
pub mod sealing;
pub mod settled;
pub mod sweeps;

use std::sync::Arc;

use souk_eventsourcing::EventStore;

/// Event store that several parts of the shop share.
pub type SharedStore = Arc<dyn EventStore>;
