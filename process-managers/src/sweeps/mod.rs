//! Rules of the sweeps: the unfinished work that is due, the command that follows, and the state in which the
//! work counts as done.
//!
//! Each file holds the rules of one sweep. The driver of the same name in `src/drivers/sweeps/` reads the rows
//! from a read model, calls the rules for each row, and logs the outcome. The rules know no SQL and no HTTP.
//!
//! On failure: the row stays as it is, and a later step of the sweep tries again.

pub mod claims;
pub mod erasures;
pub mod guests;
pub mod readdressed;
pub mod reservations;
pub mod webhooks;

use std::error::Error;

use souk_eventsourcing::envelope::Origin;
use souk_eventsourcing::{Actor, Clock, CorrelationId};

/// Reason why a sweep could not handle a row, as text for the program's log.
#[derive(Debug)]
pub struct SweepError(String);

impl SweepError {
    /// Returns the text of the error.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl<E: Error> From<E> for SweepError {
    fn from(error: E) -> Self {
        Self(error.to_string())
    }
}

/// Makes the origin of a command that the sweep with this name sends.
pub fn origin(clock: &dyn Clock, sweep: &str) -> Origin {
    let id = clock.new_id();
    Origin::new(id, Actor::new("process", sweep), CorrelationId::from(id))
}
