//! What operators ask of read models and processes: parked entities tried again or skipped past, builds
//! switched.

pub mod request;
pub mod routes;

use async_trait::async_trait;
use souk_domain::text::quoted;
use souk_eventsourcing::Position;
use souk_eventsourcing::parking::{Parked, Skip};

/// Why it was not done.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MaintenanceError {
    /// Nothing is parked under this name.
    #[error("{} has nothing parked as `{}`", quoted(owner), quoted(entity))]
    NotParked {
        /// The read model or process.
        owner: String,
        /// The key or stream that was named.
        entity: String,
    },
    /// No event at a position is to be skipped.
    #[error("{0}")]
    NothingToSkip(String),
    /// It still can't take an event, or there is too much to try again.
    #[error("{0}")]
    StillParked(String),
    /// There is no such build.
    #[error("{0}")]
    NoBuild(String),
    /// A build can't become the live one yet.
    #[error("{0}")]
    BuildNotReady(String),
    /// Something else failed.
    #[error("{0}")]
    Failed(String),
}

/// The port to whoever follows the log.
#[async_trait]
pub trait Maintenance: Send + Sync + 'static {
    /// What a read model or process has parked under a name.
    async fn find(&self, owner: &str, entity: &str) -> Result<Parked, MaintenanceError>;
    /// Tries an entity again, after what is to be skipped was noted; answers how many events waited.
    async fn retry(&self, owner: &str, entity: &str, skip: Option<Skip>) -> Result<usize, MaintenanceError>;
    /// The skip of an event that stops a rebuild, for the key or stream that can't take it.
    async fn skip_at(&self, owner: &str, entity: &str, position: Position) -> Result<Skip, MaintenanceError>;
    /// Has builds, by read model and number, take the place of the live ones, all at once; answers the
    /// position at which they did.
    async fn switch(&self, builds: Vec<(String, u32)>) -> Result<Position, MaintenanceError>;
}
