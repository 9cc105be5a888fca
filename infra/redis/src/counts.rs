//! Counters of the rate limits, shared by all gateways.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use redis::aio::ConnectionManager;
use souk_gateway::limits::{Count, SharedCounts, SharedCountsUnavailable};

use crate::Redis;

/// Counters in Redis. One Lua script checks and increments all keys of a request atomically, in one round
/// trip.
pub struct RedisCounts {
    connection: ConnectionManager,
    take: Script,
}

impl RedisCounts {
    /// Counts in this Redis. The connection is opened in the background, so that the first request does not
    /// wait for it.
    pub fn new(redis: &Redis) -> Self {
        let connection = redis.connection.clone();
        let take = Script::new(include_str!("take.lua"));
        let mut first_connection = connection.clone();
        let script = take.clone();
        tokio::spawn(async move {
            // If Redis is down, a later request opens the connection.
            let _ = script.prepare_invoke().load_async(&mut first_connection).await;
        });
        Self { connection, take }
    }
}

#[async_trait]
impl SharedCounts for RedisCounts {
    async fn take(
        &self,
        keys: &[String],
        quota: NonZeroU32,
        window: Duration,
    ) -> Result<Count, SharedCountsUnavailable> {
        let mut call = self.take.prepare_invoke();
        for key in keys {
            call.key(key);
        }
        let slot = u64::try_from(window.as_micros()).unwrap_or(u64::MAX) / u64::from(quota.get());
        call.arg(slot).arg(quota.get());
        let mut connection = self.connection.clone();
        let counted: Result<(u8, u64), _> = call.invoke_async(&mut connection).await;
        match counted.map_err(|error| SharedCountsUnavailable(error.to_string()))? {
            (0, micros) => Ok(Count::Refused { wait: Duration::from_micros(micros) }),
            (_, remaining) => {
                Ok(Count::Passes { remaining: u32::try_from(remaining).unwrap_or(quota.get()) })
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use souk_servers::Redis as Engine;

    use super::*;

    const QUOTA: NonZeroU32 = NonZeroU32::new(50).unwrap();
    const WINDOW: Duration = Duration::from_secs(60);

    fn keys(names: &[&str]) -> Vec<String> {
        names.iter().map(|name| format!("souk:limit:test:{name}")).collect()
    }

    async fn passes(counts: &RedisCounts, names: &[&str], requests: u32) -> u32 {
        let mut passed = 0;
        for _ in 0..requests {
            let count = counts.take(&keys(names), QUOTA, WINDOW).await.unwrap();
            passed += u32::from(matches!(count, Count::Passes { .. }));
        }
        passed
    }

    // Proves: edge.shared-rate-limits
    #[tokio::test]
    async fn two_gateways_share_one_limit() {
        let engine = Engine::start().unwrap();
        let one = RedisCounts::new(&Redis::at(&engine.url()).unwrap());
        let two = RedisCounts::new(&Redis::at(&engine.url()).unwrap());
        let (a, b) = tokio::join!(passes(&one, &["ada"], 60), passes(&two, &["ada"], 60));
        // The limit allows one more request every 1.2 s, so a slow machine may count some more than 50.
        assert!((50..60).contains(&(a + b)), "{a} and {b}");
        assert_eq!(passes(&two, &["bob"], 1).await, 1);
    }

    #[tokio::test]
    async fn a_request_that_one_key_refuses_is_counted_for_no_key() {
        let engine = Engine::start().unwrap();
        let counts = RedisCounts::new(&Redis::at(&engine.url()).unwrap());
        passes(&counts, &["full"], 60).await;
        assert_eq!(passes(&counts, &["other", "full"], 5).await, 0);
        let count = counts.take(&keys(&["other"]), QUOTA, WINDOW).await.unwrap();
        assert_eq!(count, Count::Passes { remaining: 49 });
        let refused = counts.take(&keys(&["full"]), QUOTA, WINDOW).await.unwrap();
        let Count::Refused { wait } = refused else { panic!("it passes") };
        assert!(wait <= Duration::from_millis(1_200), "{wait:?}");
    }

    #[tokio::test]
    async fn counters_expire_and_work_again_after_redis_was_down() {
        let mut engine = Engine::start().unwrap();
        let counts = RedisCounts::new(&Redis::at(&engine.url()).unwrap());
        assert_eq!(passes(&counts, &["ada"], 1).await, 1);
        let ttl_ms = engine.command("PTTL souk:limit:test:ada").unwrap();
        let ttl_ms: u64 = ttl_ms.trim_start_matches(':').trim().parse().unwrap();
        assert!((1..=1_200).contains(&ttl_ms), "{ttl_ms}");
        engine.stop();
        assert!(counts.take(&keys(&["ada"]), QUOTA, WINDOW).await.is_err());
        engine.begin().unwrap();
        let is_back = async {
            while counts.take(&keys(&["ada"]), QUOTA, WINDOW).await.is_err() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), is_back).await.unwrap();
    }
}
