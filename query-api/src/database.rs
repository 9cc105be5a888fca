//! The read models' database, seen by those who only read.

use std::path::Path;
use std::sync::Arc;

use serde::de::{DeserializeOwned, IntoDeserializer as _};
use souk_domain::Currency;
use souk_eventsourcing::{Clock, PersonKeys};
use souk_http::{Guard, Problem};
use souk_sign_in::{Credentials, Outbox};

use crate::exports::Exports;
use crate::positions::ReadPositions;
use crate::readers::Readers;

/// Stands behind every text that names and keys have.
pub(crate) const BEHIND_ALL: &str = "\u{10FFFF}";

/// What the routes need.
#[derive(Clone)]
pub struct QueryState {
    pub(crate) readers: Readers,
    pub(crate) exports: Exports,
    pub(crate) positions: ReadPositions,
    pub(crate) beside: Beside,
}

/// What queries need beside the read models.
#[derive(Clone)]
pub struct Beside {
    /// The shop's currency.
    pub currency: Currency,
    /// The keys of what is under seal.
    pub people: Arc<dyn PersonKeys>,
    /// What is kept of those who sign in.
    pub credentials: Arc<dyn Credentials>,
    /// What is kept of their mail.
    pub outbox: Arc<dyn Outbox>,
    /// Says which sessions are over.
    pub clock: Arc<dyn Clock>,
    /// Hashes correlation ids of clients.
    pub correlation_key: [u8; 32],
    /// Slows down those who guess codes.
    pub guard: Arc<Guard>,
    /// Names the read models that a process rebuilds right now.
    pub rebuilding: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl QueryState {
    /// Over the read models in a file, whose tables are there before the first request.
    pub fn open(read_models: &Path, positions: ReadPositions, beside: Beside) -> Self {
        Self { readers: Readers::open(read_models), exports: Exports::default(), positions, beside }
    }
}

/// What a failed statement is to the client.
pub(crate) fn failed(error: sqlx::Error) -> Problem {
    match error {
        sqlx::Error::PoolTimedOut => {
            tracing::warn!("no connection to the read models was free in time");
            Problem::new("read-model-behind", "too many reads are under way").retry_after(1)
        }
        error => Problem::internal(&error),
    }
}

/// Reads a row's document.
pub(crate) fn document<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::internal(&error))
}

/// Reads a column that holds one of a closed set of texts.
pub(crate) fn text_of<T: DeserializeOwned>(column: &str, text: String) -> Result<T, Problem> {
    let of_set = T::deserialize(text.into_deserializer());
    of_set.map_err(|error: serde_json::Error| Problem::internal(&format!("{column}: {error}")))
}

/// What `get` answers when there is nothing, or nothing that the caller may see.
pub(crate) fn not_found(what: &str) -> Problem {
    Problem::new("not-found", format!("there is no such {what}"))
}

/// The currency that a request asks for by its code; the shop's unless it does.
pub(crate) fn currency(state: &QueryState, asked: Option<&str>) -> Result<&'static str, Problem> {
    let Some(code) = asked else { return Ok(state.beside.currency.code()) };
    let refused = || Problem::parameter("currency", "an ISO 4217 code is allowed, as in GBP");
    souk_domain::money::currency(code).map(|currency| currency.code()).ok_or_else(refused)
}
