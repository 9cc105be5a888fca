//! Fetches the public token keys that the upstream for commands publishes, again and again.
//!
//! If a fetch fails, the last known keys stay in use.

use std::sync::Arc;
use std::time::Duration;

use souk_http::PublishedKeys;

use super::Upstream;

/// Path of the published keys.
const PATH: &str = "/.well-known/jwks.json";
/// Maximum size of the document with the keys, in bytes.
const BYTES_MAX: usize = 64 * 1024;
/// Longest wait for a token of an unknown key, after [`FETCH_PAUSE_MIN`]. Both together are shorter than the
/// time for which a new key is published before it signs tokens.
const FETCH_WAIT_MAX: Duration = Duration::from_secs(20);
/// Shortest time between two fetches, even if callers send tokens of unknown keys.
const FETCH_PAUSE_MIN: Duration = Duration::from_secs(1);

/// Fetches the keys of an upstream again and again. Never returns.
pub async fn follow(upstream: Arc<Upstream>, keys: Arc<PublishedKeys>) {
    loop {
        let fetched = upstream.fetch(PATH, BYTES_MAX).await;
        let replaced =
            fetched.and_then(|document| keys.replace(&document).map_err(|error| error.to_string()));
        if let Err(reason) = replaced {
            tracing::warn!(upstream = upstream.name(), reason, "the public token keys could not be fetched");
        }
        tokio::time::sleep(FETCH_PAUSE_MIN).await;
        if keys.is_known() {
            // A token of an unknown key ends the wait early. In both cases the next fetch follows.
            let _ = tokio::time::timeout(FETCH_WAIT_MAX, keys.missing.notified()).await;
        }
    }
}
