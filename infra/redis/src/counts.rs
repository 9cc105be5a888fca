//! How often somebody asked.

use std::num::NonZeroU32;
use std::time::Duration;

use async_trait::async_trait;
use redis::Script;
use redis::aio::ConnectionManager;
use souk_gateway::limits::{Count, SharedCounts, SharedCountsUnavailable};

use crate::Redis;

/// Counts in one script, so in one round trip and with nobody in between.
pub struct RedisCounts {
    connection: ConnectionManager,
    take: Script,
}

impl RedisCounts {
    /// In this Redis. The connection is made meanwhile, so that the first who ask need not wait for it.
    pub fn new(redis: &Redis) -> Self {
        let (connection, take) = (redis.connection.clone(), Script::new(include_str!("take.lua")));
        let (mut first, script) = (connection.clone(), take.clone());
        tokio::spawn(async move {
            // Without a Redis it is made when there is one.
            let _ = script.prepare_invoke().load_async(&mut first).await;
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

    async fn passes(counts: &RedisCounts, names: &[&str], asked: u32) -> u32 {
        let mut passed = 0;
        for _ in 0..asked {
            let count = counts.take(&keys(names), QUOTA, WINDOW).await.unwrap();
            passed += u32::from(matches!(count, Count::Passes { .. }));
        }
        passed
    }

    #[tokio::test]
    async fn two_who_count_together_let_no_more_pass_than_one() {
        let engine = Engine::start().unwrap();
        let (one, two) = (Redis::at(&engine.url()).unwrap(), Redis::at(&engine.url()).unwrap());
        let (one, two) = (RedisCounts::new(&one), RedisCounts::new(&two));
        let (ada, bob) = (["ada"], ["bob"]);
        let (a, b) = tokio::join!(passes(&one, &ada, 60), passes(&two, &ada, 60));
        // A slot comes free every 1.2 s: a slow machine gets one or the other more.
        assert!((50..60).contains(&(a + b)), "{a} and {b}");
        assert_eq!(passes(&two, &bob, 1).await, 1);
    }

    #[tokio::test]
    async fn what_one_key_refuses_is_counted_against_none() {
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
    async fn counts_go_by_themselves_and_a_redis_may_come_back() {
        let mut engine = Engine::start().unwrap();
        let counts = RedisCounts::new(&Redis::at(&engine.url()).unwrap());
        assert_eq!(passes(&counts, &["ada"], 1).await, 1);
        let left = engine.command("PTTL souk:limit:test:ada").unwrap();
        let left: u64 = left.trim_start_matches(':').trim().parse().unwrap();
        assert!((1..=1_200).contains(&left), "{left}");
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
