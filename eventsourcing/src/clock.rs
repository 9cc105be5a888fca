//! Time and new ids, which nothing in this project may take from anywhere else.

use jiff::Timestamp;
use uuid::Uuid;

/// What the outside world gives: the real one in the program, a scripted one in simulations.
pub trait Clock: Send + Sync + 'static {
    /// The time of now. It may step back.
    fn now(&self) -> Timestamp;
    /// A new UUIDv7.
    fn new_id(&self) -> Uuid;
}
