//! The read models' database, read-only.

use std::path::Path;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use souk_domain::Currency;
use souk_eventsourcing::EventStore;
use souk_web::Problem;
use sqlx::SqlitePool;
use sqlx::sqlite::{SqliteConnectOptions, SqlitePoolOptions};

use crate::positions::ReadPositions;

/// Connections.
const CONNECTIONS_MAX: u32 = 4;

/// What reads work with.
#[derive(Clone)]
pub struct QueryState {
    /// The read models.
    pub pool: SqlitePool,
    /// How far they are.
    pub positions: ReadPositions,
    /// The log, for the log browser alone.
    pub log: Arc<dyn EventStore>,
    /// The shop's currency.
    pub currency: Currency,
}

impl QueryState {
    /// Opens the database when it is first asked.
    pub fn open(path: &Path, positions: ReadPositions, log: Arc<dyn EventStore>, currency: Currency) -> Self {
        let options = SqliteConnectOptions::new().filename(path).read_only(true).statement_cache_capacity(100);
        let pool = SqlitePoolOptions::new().max_connections(CONNECTIONS_MAX).connect_lazy_with(options);
        Self { pool, positions, log, currency }
    }
}

/// Reads a row's document.
pub fn document<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::internal(&error))
}

/// The problem of a query that failed.
pub fn failed(error: sqlx::Error) -> Problem {
    Problem::internal(&error)
}
