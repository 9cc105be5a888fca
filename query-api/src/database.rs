//! State of the query routes, and helpers to read rows of the read models.

use std::path::Path;
use std::sync::Arc;

use serde::de::{DeserializeOwned, IntoDeserializer as _};
use serde_json::Value;
use souk_domain::Currency;
use souk_eventsourcing::{Clock, PersonKeys};
use souk_http::{Guard, Problem};
use souk_sign_in::{Credentials, Outbox};

use crate::positions::ReadPositions;
use crate::readers::Readers;
use crate::running_exports::RunningExports;

/// Text that sorts after all names and keys: a list in descending order begins here.
pub(crate) const AFTER_EVERY_TEXT: &str = "\u{10FFFF}";

/// State that all query routes share.
#[derive(Clone)]
pub struct QueryState {
    pub(crate) readers: Readers,
    pub(crate) exports: RunningExports,
    pub(crate) positions: ReadPositions,
    pub(crate) ports: QueryPorts,
}

/// Ports and settings that queries need in addition to the read models.
#[derive(Clone)]
pub struct QueryPorts {
    /// Currency of prices and reports if the request names none.
    pub currency: Currency,
    /// Keys that open sealed personal data.
    pub people: Arc<dyn PersonKeys>,
    /// Store of sessions, sign-ins and linked identity providers.
    pub credentials: Arc<dyn Credentials>,
    /// Store of sent mails.
    pub outbox: Arc<dyn Outbox>,
    /// Clock that decides which sessions have ended.
    pub clock: Arc<dyn Clock>,
    /// Key that hashes the correlation ids that clients send.
    pub correlation_key: [u8; 32],
    /// Throttle that delays callers who guess order codes.
    pub guard: Arc<Guard>,
    /// Returns the names of the read models that a process rebuilds now.
    pub rebuilding: Arc<dyn Fn() -> Vec<String> + Send + Sync>,
}

impl QueryState {
    /// Opens the read models in a file. Their tables must exist before the first request.
    pub fn open(read_models: &Path, positions: ReadPositions, ports: QueryPorts) -> Self {
        Self { readers: Readers::open(read_models), exports: RunningExports::default(), positions, ports }
    }
}

/// Converts the error of a statement to a problem: 503 if no connection was free in time, else 500.
pub(crate) fn database_problem(error: sqlx::Error) -> Problem {
    match error {
        sqlx::Error::PoolTimedOut => {
            tracing::warn!("timeout: all connections to the read models were busy");
            Problem::new("read-model-behind", "too many reads are running, try again").retry_after(1)
        }
        error => Problem::internal(&error),
    }
}

/// Parses the JSON document of a row.
pub(crate) fn parse_document<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    serde_json::from_slice(bytes).map_err(|error| Problem::internal(&error))
}

/// Returns a JSON object whose names are these keys: the parameter of a statement that reads several rows.
/// The statement reads it with `json_each`.
pub(crate) fn key_set<'a>(keys: impl IntoIterator<Item = &'a str>) -> String {
    let names = keys.into_iter().map(|key| (key.to_owned(), Value::Null));
    Value::Object(names.collect()).to_string()
}

/// Parses the text of a column into an enum. `column` is used in the error only.
pub(crate) fn parse_text<T: DeserializeOwned>(column: &str, text: String) -> Result<T, Problem> {
    let value = T::deserialize(text.into_deserializer());
    value.map_err(|error: serde_json::Error| Problem::internal(&format!("{column}: {error}")))
}

/// Returns the 404 problem for a resource that does not exist or that the caller is not allowed to see.
pub(crate) fn not_found(resource: &str) -> Problem {
    Problem::new("not-found", format!("there is no such {resource}"))
}

/// Returns the currency that a request names by its code, or the shop's currency if it names none.
pub(crate) fn currency(state: &QueryState, requested_code: Option<&str>) -> Result<&'static str, Problem> {
    let Some(code) = requested_code else { return Ok(state.ports.currency.code()) };
    let invalid = || Problem::parameter("currency", "an ISO 4217 code is allowed, for example GBP");
    souk_domain::money::currency(code).map(|currency| currency.code()).ok_or_else(invalid)
}
