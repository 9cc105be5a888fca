//! The clock port: the only source of time and new ids in this project.
//!
//! Invariant: no other code reads the system clock or creates ids, so that a simulation controls both.
//! The clock never fails.

use jiff::Timestamp;
use uuid::Uuid;

/// Source of time and new ids: the system clock in the program, a scripted clock in simulations.
pub trait Clock: Send + Sync + 'static {
    /// Returns the current time. It may be earlier than the time of the previous call.
    fn now(&self) -> Timestamp;
    /// Returns a new UUIDv7.
    fn new_id(&self) -> Uuid;
}
