//! Regular fetch of the public token keys that the command upstream publishes.
//!
//! If a fetch fails, the last known keys stay in use.

use std::sync::Arc;
use std::time::Duration;

use souk_http::PublishedKeys;

use super::Upstream;

/// Path of the published keys.
const PATH: &str = "/.well-known/jwks.json";
/// Largest document, in bytes.
const BYTES_MAX: usize = 64 * 1024;
/// Time between two fetches. It is shorter than the time for which a new key is published before it signs.
const EVERY: Duration = Duration::from_secs(20);
/// Shortest time between two fetches, even if callers send tokens of unknown keys.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// Fetches the keys of an upstream again and again. Never returns.
pub async fn follow(upstream: Arc<Upstream>, keys: Arc<PublishedKeys>) {
    loop {
        let fetched = upstream.fetch(PATH, BYTES_MAX).await;
        let replaced =
            fetched.and_then(|document| keys.replace(&document).map_err(|error| error.to_string()));
        if let Err(reason) = replaced {
            tracing::warn!(upstream = upstream.name(), reason, "the public token keys could not be fetched");
        }
        tokio::time::sleep(EVERY_MIN).await;
        if keys.is_known() {
            // The next fetch is due after a notification and after a timeout alike.
            let _ = tokio::time::timeout(EVERY, keys.missing.notified()).await;
        }
    }
}
