//! Ended sessions, shared by all processes (gateways and shops) through Redis.
//!
//! Every process keeps all ended sessions in memory, because it checks them for every request with a token.
//! A process that ends a session publishes it on a channel, and adds it to a sorted set. The score in the set
//! is the time at which the session's tokens expire, and members leave the set only when they expire. A
//! process that starts later, or that missed messages, catches up by merging the set with its own sessions.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use redis::aio::ConnectionManager;
use redis::{AsyncCommands as _, Msg, RedisResult};
use souk_eventsourcing::Clock;
use souk_http::EndedSessions;
use souk_http::ended_sessions::OtherInstances;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{CONNECT_TIMEOUT, RECONNECT_WAIT_MAX, RESPONSE_TIMEOUT, Redis};

/// Name of the sorted set and of the channel.
const KEY: &str = "souk:denials";
/// Interval at which the connection is checked and expired sessions are removed from the set.
const CHECK_INTERVAL: Duration = Duration::from_secs(5);

/// State of the connection to Redis.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// The connection is lost. Sessions that end elsewhere become known when it is back.
    Down,
    /// The connection works.
    Up,
}

/// Publishes the sessions that end in this process, and listens for those that end in others.
pub struct RedisEndedSessions {
    redis: Redis,
    ended_sessions: Arc<EndedSessions>,
    clock: Arc<dyn Clock>,
    /// Notified when a session could not be published.
    publish_failed: Notify,
    link: watch::Sender<Link>,
}

#[async_trait]
impl OtherInstances for RedisEndedSessions {
    async fn announce(&self, session: Uuid, until: Timestamp) {
        if *self.link.borrow() == Link::Down {
            // `merge` publishes all sessions when the connection is back.
            return;
        }
        let mut connection = self.redis.connection.clone();
        let published =
            tokio::time::timeout(RESPONSE_TIMEOUT, publish(&mut connection, &[(session, until)])).await;
        if !matches!(published, Ok(Ok(()))) {
            self.publish_failed.notify_one();
        }
    }
}

impl RedisEndedSessions {
    /// Shares `ended_sessions` with the other processes. Call [`RedisEndedSessions::run`] to listen.
    pub fn new(redis: Redis, ended_sessions: Arc<EndedSessions>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let shared = Arc::new(Self {
            redis,
            ended_sessions,
            clock,
            publish_failed: Notify::new(),
            link: watch::Sender::new(Link::Down),
        });
        shared.ended_sessions.share(shared.clone());
        shared
    }

    /// Returns the state of the connection, as it changes.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    /// Listens for ended sessions until the process ends, and reconnects when the connection is lost.
    pub async fn run(&self) {
        loop {
            match self.listen().await {
                Ok(()) => {}
                Err(error) if *self.link.borrow() == Link::Up => {
                    tracing::warn!(%error, "the connection to Redis is lost: sessions that end elsewhere are unknown");
                }
                Err(error) => tracing::debug!(%error, "Redis can't be reached yet"),
            }
            self.link.send_replace(Link::Down);
            tokio::time::sleep(RECONNECT_WAIT_MAX).await;
        }
    }

    /// Listens until the connection is lost.
    async fn listen(&self) -> RedisResult<()> {
        let connecting = tokio::time::timeout(CONNECT_TIMEOUT, self.redis.client.get_async_pubsub());
        let (mut sink, mut messages) = connecting.await.map_err(|_| too_slow())??.split();
        sink.subscribe(KEY).await?;
        // From now on, messages about ended sessions arrive. Sessions that ended before are in the set.
        self.merge().await?;
        if self.link.send_replace(Link::Up) == Link::Down {
            tracing::info!("ended sessions are shared through Redis");
        }
        let mut check = tokio::time::interval(CHECK_INTERVAL);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.receive(&message),
                    None => return Err(lost()),
                },
                () = self.publish_failed.notified() => self.merge().await?,
                _ = check.tick() => {
                    let pinged = tokio::time::timeout(RESPONSE_TIMEOUT, sink.ping::<redis::Value>());
                    pinged.await.map_err(|_| too_slow())??;
                    self.remove_expired().await?;
                }
            }
        }
    }

    /// Publishes all ended sessions that this process knows, and adds all ended sessions of the set.
    async fn merge(&self) -> RedisResult<()> {
        let mut connection = self.redis.connection.clone();
        let now = self.clock.now();
        let known = self.ended_sessions.all(now);
        if !known.is_empty() {
            publish(&mut connection, &known).await?;
        }
        let members: Vec<(String, i64)> =
            connection.zrangebyscore_withscores(KEY, now.as_millisecond(), "+inf").await?;
        for (session, until) in members {
            self.add(&session, until);
        }
        Ok(())
    }

    fn receive(&self, message: &Msg) {
        let text: String = message.get_payload().unwrap_or_default();
        if let Some((session, until)) = text.split_once(' ')
            && let Ok(until) = until.parse()
        {
            self.add(session, until);
        }
    }

    /// Adds an ended session. If the text or time is invalid, logs this and adds nothing.
    fn add(&self, session: &str, until: i64) {
        let Some((session, until)) = session.parse().ok().zip(Timestamp::from_millisecond(until).ok()) else {
            return tracing::warn!("a member of `souk:denials` in Redis is not a session");
        };
        self.ended_sessions.deny_here(session, until, self.clock.now());
    }

    async fn remove_expired(&self) -> RedisResult<()> {
        let mut connection = self.redis.connection.clone();
        let () = connection.zrembyscore(KEY, "-inf", self.clock.now().as_millisecond()).await?;
        Ok(())
    }
}

/// Adds ended sessions to the set and publishes them on the channel, in one transaction.
async fn publish(connection: &mut ConnectionManager, sessions: &[(Uuid, Timestamp)]) -> RedisResult<()> {
    let mut commands = redis::pipe();
    commands.atomic();
    for (session, until) in sessions {
        let session = session.to_string();
        let until = until.as_millisecond();
        commands.cmd("ZADD").arg(KEY).arg("GT").arg(until).arg(&session).ignore();
        commands.publish(KEY, format!("{session} {until}")).ignore();
    }
    commands.query_async(connection).await
}

fn too_slow() -> redis::RedisError {
    (redis::ErrorKind::Io, "Redis did not respond in time").into()
}

fn lost() -> redis::RedisError {
    (redis::ErrorKind::Io, "the connection was lost").into()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use souk_eventsourcing::testkit::{Noon, noon};
    use souk_servers::Redis as Engine;

    use super::*;

    /// Maximum time that a test waits for a step.
    const STEP_WAIT_MAX: Duration = Duration::from_secs(30);

    /// A gateway that listens, and its ended sessions.
    struct Gateway {
        ended_sessions: Arc<EndedSessions>,
        link: watch::Receiver<Link>,
        _listening: tokio::task::JoinHandle<()>,
    }

    fn gateway(engine: &Engine) -> Gateway {
        let ended_sessions = Arc::new(EndedSessions::default());
        let shared = RedisEndedSessions::new(
            Redis::at(&engine.url()).unwrap(),
            Arc::clone(&ended_sessions),
            Arc::new(Noon),
        );
        let link = shared.link();
        Gateway { ended_sessions, link, _listening: tokio::spawn(async move { shared.run().await }) }
    }

    impl Gateway {
        async fn wait_for(&mut self, link: Link) {
            tokio::time::timeout(STEP_WAIT_MAX, self.link.wait_for(|now| *now == link))
                .await
                .unwrap()
                .unwrap();
        }

        async fn wait_until_denied(&self, session: u128) {
            let denied = async {
                while !self.ended_sessions.is_denied(Uuid::from_u128(session), noon()) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(STEP_WAIT_MAX, denied).await.unwrap();
        }

        async fn deny(&self, session: u128) {
            let until = noon() + SignedDuration::from_mins(10);
            self.ended_sessions.deny(Uuid::from_u128(session), until, noon()).await;
        }
    }

    #[tokio::test]
    async fn all_gateways_refuse_an_ended_session_even_those_that_start_later() {
        let engine = Engine::start().unwrap();
        let mut one = gateway(&engine);
        let mut two = gateway(&engine);
        one.wait_for(Link::Up).await;
        two.wait_for(Link::Up).await;
        one.deny(1).await;
        two.wait_until_denied(1).await;
        two.deny(2).await;
        one.wait_until_denied(2).await;
        let mut later = gateway(&engine);
        later.wait_for(Link::Up).await;
        later.wait_until_denied(1).await;
        later.wait_until_denied(2).await;
    }

    #[tokio::test]
    async fn sessions_that_end_while_redis_is_down_are_shared_when_it_is_back_and_empty() {
        let mut engine = Engine::start().unwrap();
        let mut one = gateway(&engine);
        let mut two = gateway(&engine);
        one.wait_for(Link::Up).await;
        two.wait_for(Link::Up).await;
        one.deny(1).await;
        two.wait_until_denied(1).await;
        engine.stop();
        one.wait_for(Link::Down).await;
        two.wait_for(Link::Down).await;
        one.deny(2).await;
        assert!(
            one.ended_sessions.is_denied(Uuid::from_u128(2), noon())
                && two.ended_sessions.is_denied(Uuid::from_u128(1), noon())
        );
        engine.begin().unwrap();
        two.wait_until_denied(2).await;
        let mut later = gateway(&engine);
        later.wait_for(Link::Up).await;
        later.wait_until_denied(1).await;
        later.wait_until_denied(2).await;
    }

    #[tokio::test]
    async fn members_that_are_not_sessions_are_ignored() {
        let engine = Engine::start().unwrap();
        let mut one = gateway(&engine);
        one.wait_for(Link::Up).await;
        for command in
            ["PUBLISH souk:denials nonsense", "PUBLISH souk:denials 1", "ZADD souk:denials 99999999999999 x"]
        {
            engine.command(command).unwrap();
        }
        let two = gateway(&engine);
        two.deny(7).await;
        one.wait_until_denied(7).await;
    }
}
