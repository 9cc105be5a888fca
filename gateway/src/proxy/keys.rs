//! The keys of tokens as the command side publishes them, looked at again and again.

use std::sync::Arc;
use std::time::Duration;

use souk_http::PublishedKeys;

use super::Upstream;

/// Where they are.
const PATH: &str = "/.well-known/jwks.json";
/// The largest document, in bytes.
const BYTES_MAX: usize = 64 * 1024;
/// How often they are looked at: more often than the time for which a key is published before it signs.
const EVERY: Duration = Duration::from_secs(20);
/// The shortest time in between, whoever names keys that are not among them.
const EVERY_MIN: Duration = Duration::from_secs(1);

/// Keeps the keys of an upstream for as long as the process lasts.
pub async fn follow(upstream: Arc<Upstream>, keys: Arc<PublishedKeys>) {
    loop {
        let fetched = upstream.fetch(PATH, BYTES_MAX).await;
        let taken = fetched.and_then(|document| keys.take(&document).map_err(|error| error.to_string()));
        if let Err(reason) = taken {
            tracing::warn!(upstream = upstream.name(), reason, "the keys of tokens can't be read");
        }
        tokio::time::sleep(EVERY_MIN).await;
        if keys.is_known() {
            // An elapsed wait is as good as being told.
            let _ = tokio::time::timeout(EVERY, keys.missing.notified()).await;
        }
    }
}
