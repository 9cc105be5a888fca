//! What several gateways have in common, in Redis 7: how often somebody asked, and which sessions have
//! ended. Both get on without it for a while.

mod counts;
mod denials;

use std::time::Duration;

use redis::Client;
use redis::aio::{ConnectionManager, ConnectionManagerConfig};

pub use counts::RedisCounts;
pub use denials::{Link, RedisDenials};

/// How long a connection may take.
const CONNECT_MAX: Duration = Duration::from_millis(500);
/// How long an answer may take.
const ANSWER_MAX: Duration = Duration::from_millis(500);
/// How long a lost connection waits before it is made anew, at most.
const RECONNECT_MAX: Duration = Duration::from_secs(1);

/// An address that is none of a Redis.
#[derive(Debug, thiserror::Error)]
#[error("it is no address of a Redis: {0}")]
pub struct NotAnAddress(String);

/// A Redis, which need not be there yet.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    connection: ConnectionManager,
}

impl Redis {
    /// The one at an address, as in `redis://127.0.0.1:6379/0`. To be called within a runtime.
    pub fn at(url: &str) -> Result<Self, NotAnAddress> {
        let failed = |error: redis::RedisError| NotAnAddress(error.to_string());
        let client = Client::open(url).map_err(failed)?;
        let settings = ConnectionManagerConfig::new()
            .set_connection_timeout(Some(CONNECT_MAX))
            .set_response_timeout(Some(ANSWER_MAX))
            .set_max_delay(RECONNECT_MAX)
            // Whoever asks has something else to do.
            .set_number_of_retries(0);
        let connection = client.get_connection_manager_lazy(settings).map_err(failed)?;
        Ok(Self { client, connection })
    }
}
