//! Maintenance of read models and processes by operators: retrying parked entities, skipping events, and
//! switching to new builds.

pub mod request;
pub mod routes;

use async_trait::async_trait;
use souk_domain::text::quoted;
use souk_eventsourcing::Position;
use souk_eventsourcing::parking::{Parked, Skip};

/// The reason why a maintenance request failed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaintenanceError {
    /// The read model or process has no parked entity of this name.
    #[error("{} has no parked entity `{}`", quoted(owner), quoted(entity))]
    NotParked {
        /// Name of the read model or process.
        owner: String,
        /// Key or stream that the request named.
        entity: String,
    },
    /// The event at the position can't be skipped.
    #[error("{0}")]
    NothingToSkip(String),
    /// The entity still can't apply an event, or too many events are waiting for one retry.
    #[error("{0}")]
    StillParked(String),
    /// The build does not exist.
    #[error("{0}")]
    NoBuild(String),
    /// The build has not caught up, so it can't become the live one yet.
    #[error("{0}")]
    BuildNotReady(String),
    /// The request failed for another reason, such as an I/O error.
    #[error("{0}")]
    Failed(String),
}

/// The port to the drivers of read models and processes.
#[async_trait]
pub trait Maintenance: Send + Sync + 'static {
    /// Finds a parked entity of a read model or process.
    async fn find(&self, owner: &str, entity: &str) -> Result<Parked, MaintenanceError>;
    /// Applies the waiting events of a parked entity, without the event `skip` if there is one. Returns the
    /// number of events that were waiting.
    async fn retry(&self, owner: &str, entity: &str, skip: Option<Skip>) -> Result<usize, MaintenanceError>;
    /// Returns the skip of the event at a position that stops a rebuild, for the key or stream that can't
    /// apply it.
    async fn skip_at(&self, owner: &str, entity: &str, position: Position) -> Result<Skip, MaintenanceError>;
    /// Makes these builds live, all at once. A build is named by its read model and number. Returns
    /// the position at which they took over.
    async fn switch(&self, builds: Vec<(String, u32)>) -> Result<Position, MaintenanceError>;
}
