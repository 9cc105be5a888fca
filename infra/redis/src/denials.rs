//! Which sessions have ended.
//!
//! Each instance holds all of them in memory, since every request with a token asks. Redis carries them
//! from one to the others: a set by the time until which each counts, for those who come later, and a
//! channel for those who listen. The set only grows until its members expire, so whatever was missed is made
//! up for by putting both sides together.

use std::sync::Arc;
use std::time::Duration;

use async_trait::async_trait;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use redis::aio::ConnectionManager;
use redis::{AsyncCommands as _, Msg, RedisResult};
use souk_eventsourcing::Clock;
use souk_http::Denials;
use souk_http::denials::Elsewhere;
use tokio::sync::{Notify, watch};
use uuid::Uuid;

use crate::{ANSWER_MAX, CONNECT_MAX, RECONNECT_MAX, Redis};

/// The set, and the channel of the same name.
const KEY: &str = "souk:denials";
/// How often the link is looked at, and what has expired taken out.
const CHECKED_EVERY: Duration = Duration::from_secs(5);

/// Whether others are heard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    /// Not now: what they end is learnt when it is back.
    Down,
    /// They are.
    Up,
}

/// Tells others, and listens to them.
pub struct RedisDenials {
    redis: Redis,
    denials: Arc<Denials>,
    clock: Arc<dyn Clock>,
    /// Told when something could not be told.
    untold: Notify,
    link: watch::Sender<Link>,
}

#[async_trait]
impl Elsewhere for RedisDenials {
    async fn tell(&self, session: Uuid, until: Timestamp) {
        if *self.link.borrow() == Link::Down {
            // It is told with all others once the link is up.
            return;
        }
        let mut connection = self.redis.connection.clone();
        let told = tokio::time::timeout(ANSWER_MAX, publish(&mut connection, &[(session, until)])).await;
        if !matches!(told, Ok(Ok(()))) {
            self.untold.notify_one();
        }
    }
}

impl RedisDenials {
    /// Shares these.
    pub fn new(redis: Redis, denials: Arc<Denials>, clock: Arc<dyn Clock>) -> Arc<Self> {
        let shared = Arc::new(Self {
            redis,
            denials,
            clock,
            untold: Notify::new(),
            link: watch::Sender::new(Link::Down),
        });
        shared.denials.share(shared.clone());
        shared
    }

    /// Whether others are heard now.
    pub fn link(&self) -> watch::Receiver<Link> {
        self.link.subscribe()
    }

    /// Listens for as long as the process lasts.
    pub async fn run(&self) {
        loop {
            match self.listen().await {
                Ok(()) => {}
                Err(error) if *self.link.borrow() == Link::Up => {
                    tracing::warn!(%error, "ended sessions of other instances are not heard");
                }
                Err(error) => tracing::debug!(%error, "Redis is not there yet"),
            }
            self.link.send_replace(Link::Down);
            tokio::time::sleep(RECONNECT_MAX).await;
        }
    }

    /// Listens until the connection is lost.
    async fn listen(&self) -> RedisResult<()> {
        let connecting = tokio::time::timeout(CONNECT_MAX, self.redis.client.get_async_pubsub());
        let (mut sink, mut messages) = connecting.await.map_err(|_| too_slow())??.split();
        sink.subscribe(KEY).await?;
        // Heard from here on; what was said before is in the set.
        self.put_together().await?;
        if self.link.send_replace(Link::Up) == Link::Down {
            tracing::info!("ended sessions are shared with other instances");
        }
        let mut check = tokio::time::interval(CHECKED_EVERY);
        loop {
            tokio::select! {
                message = messages.next() => match message {
                    Some(message) => self.hear(&message),
                    None => return Err(lost()),
                },
                () = self.untold.notified() => self.put_together().await?,
                _ = check.tick() => {
                    let pinged = tokio::time::timeout(ANSWER_MAX, sink.ping::<redis::Value>());
                    pinged.await.map_err(|_| too_slow())??;
                    self.forget().await?;
                }
            }
        }
    }

    /// Takes in what others said, and says what is known here.
    async fn put_together(&self) -> RedisResult<()> {
        let (mut connection, now) = (self.redis.connection.clone(), self.clock.now());
        let known = self.denials.all(now);
        if !known.is_empty() {
            publish(&mut connection, &known).await?;
        }
        let members: Vec<(String, i64)> =
            connection.zrangebyscore_withscores(KEY, now.as_millisecond(), "+inf").await?;
        for (session, until) in members {
            self.take(&session, until);
        }
        Ok(())
    }

    fn hear(&self, message: &Msg) {
        let text: String = message.get_payload().unwrap_or_default();
        if let Some((session, until)) = text.split_once(' ')
            && let Ok(until) = until.parse()
        {
            self.take(session, until);
        }
    }

    /// Whatever is no session of ours is somebody else's mistake.
    fn take(&self, session: &str, until: i64) {
        let Some((session, until)) = session.parse().ok().zip(Timestamp::from_millisecond(until).ok()) else {
            return tracing::warn!("what came through the channel of ended sessions is none");
        };
        self.denials.deny_here(session, until, self.clock.now());
    }

    async fn forget(&self) -> RedisResult<()> {
        let mut connection = self.redis.connection.clone();
        let () = connection.zrembyscore(KEY, "-inf", self.clock.now().as_millisecond()).await?;
        Ok(())
    }
}

/// Puts sessions into the set and says so, in one step.
async fn publish(connection: &mut ConnectionManager, sessions: &[(Uuid, Timestamp)]) -> RedisResult<()> {
    let mut commands = redis::pipe();
    commands.atomic();
    for (session, until) in sessions {
        let (session, until) = (session.to_string(), until.as_millisecond());
        commands.cmd("ZADD").arg(KEY).arg("GT").arg(until).arg(&session).ignore();
        commands.publish(KEY, format!("{session} {until}")).ignore();
    }
    commands.query_async(connection).await
}

fn too_slow() -> redis::RedisError {
    (redis::ErrorKind::Io, "no answer in time").into()
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

    const PATIENCE: Duration = Duration::from_secs(30);

    /// An instance that listens, and what it knows.
    struct Instance {
        denials: Arc<Denials>,
        link: watch::Receiver<Link>,
        _listens: tokio::task::JoinHandle<()>,
    }

    fn instance(engine: &Engine) -> Instance {
        let denials = Arc::new(Denials::default());
        let shared =
            RedisDenials::new(Redis::at(&engine.url()).unwrap(), Arc::clone(&denials), Arc::new(Noon));
        let link = shared.link();
        Instance { denials, link, _listens: tokio::spawn(async move { shared.run().await }) }
    }

    impl Instance {
        async fn is(&mut self, link: Link) {
            tokio::time::timeout(PATIENCE, self.link.wait_for(|now| *now == link)).await.unwrap().unwrap();
        }

        async fn hears_of(&self, session: u128) {
            let heard = async {
                while !self.denials.is_denied(Uuid::from_u128(session), noon()) {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
            };
            tokio::time::timeout(PATIENCE, heard).await.unwrap();
        }

        async fn deny(&self, session: u128) {
            let until = noon() + SignedDuration::from_mins(10);
            self.denials.deny(Uuid::from_u128(session), until, noon()).await;
        }
    }

    #[tokio::test]
    async fn what_one_ends_all_refuse_also_those_who_come_later() {
        let engine = Engine::start().unwrap();
        let (mut one, mut two) = (instance(&engine), instance(&engine));
        one.is(Link::Up).await;
        two.is(Link::Up).await;
        one.deny(1).await;
        two.hears_of(1).await;
        two.deny(2).await;
        one.hears_of(2).await;
        let mut later = instance(&engine);
        later.is(Link::Up).await;
        later.hears_of(1).await;
        later.hears_of(2).await;
    }

    #[tokio::test]
    async fn what_ends_while_redis_is_gone_is_told_when_it_is_back_and_empty() {
        let mut engine = Engine::start().unwrap();
        let (mut one, mut two) = (instance(&engine), instance(&engine));
        one.is(Link::Up).await;
        two.is(Link::Up).await;
        one.deny(1).await;
        two.hears_of(1).await;
        engine.stop();
        one.is(Link::Down).await;
        two.is(Link::Down).await;
        one.deny(2).await;
        assert!(
            one.denials.is_denied(Uuid::from_u128(2), noon())
                && two.denials.is_denied(Uuid::from_u128(1), noon())
        );
        engine.begin().unwrap();
        two.hears_of(2).await;
        let mut later = instance(&engine);
        later.is(Link::Up).await;
        later.hears_of(1).await;
        later.hears_of(2).await;
    }

    #[tokio::test]
    async fn what_is_no_session_is_passed_over() {
        let engine = Engine::start().unwrap();
        let mut one = instance(&engine);
        one.is(Link::Up).await;
        for words in
            ["PUBLISH souk:denials nonsense", "PUBLISH souk:denials 1", "ZADD souk:denials 99999999999999 x"]
        {
            engine.command(words).unwrap();
        }
        let two = instance(&engine);
        two.deny(7).await;
        one.hears_of(7).await;
    }
}
