//! State that several gateways and shops share through Redis 7: the counters of the rate limits, and the
//! ended sessions. A process continues with its own state while Redis is down.

mod counts;
mod ended_sessions;

use std::time::Duration;

use redis::Client;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

pub use counts::RedisCounts;
pub use ended_sessions::{Link, RedisEndedSessions};

/// Timeout for a new connection.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(500);
/// Timeout for the response to a command.
const RESPONSE_TIMEOUT: Duration = Duration::from_millis(500);
/// Longest wait before a lost connection is opened again.
const RECONNECT_WAIT_MAX: Duration = Duration::from_secs(1);

/// The text is not the URL of a Redis server.
#[derive(Debug, thiserror::Error)]
#[error("it is not the URL of a Redis server: {0}")]
pub struct InvalidUrl(String);

/// Client of one Redis server. The server does not need to run yet.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    connection: ConnectionManager,
}

impl Redis {
    /// Returns a client for a URL like `redis://127.0.0.1:6379/0`. Must be called within a tokio runtime.
    pub fn at(url: &str) -> Result<Self, InvalidUrl> {
        let failed = |error: redis::RedisError| InvalidUrl(error.to_string());
        let client = Client::open(url).map_err(failed)?;
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_TIMEOUT))
            .set_response_timeout(Some(RESPONSE_TIMEOUT))
            .set_max_delay(RECONNECT_WAIT_MAX)
            // The caller falls back to its own state instead of waiting for a retry.
            .set_number_of_retries(0);
        let connection = client.get_connection_manager_lazy(settings).map_err(failed)?;
        Ok(Self { client, connection })
    }
}
