//! Setup of the edge of a process: limits, tokens, and the state that it shares with other processes through
//! Redis.

use std::sync::Arc;

use anyhow::Context as _;
use souk_configuration::{Configuration, LimitMode};
use souk_gateway::limits::CountingMode;
use souk_gateway::{BodyHandling, Edge, Limits, TrustedProxies};
use souk_http::EndedSessions;
use souk_http::identity::Tokens;
use souk_redis::{Link, Redis, RedisCounts, RedisEndedSessions};
use tokio::sync::watch;

use crate::clock::SharedClock;
use crate::drivers::parts::{Condition, Parts, supervise};
use crate::routes;

/// Status of the edge, for health and metrics.
#[derive(Clone)]
pub struct EdgeStatus {
    limits: Arc<Limits>,
    proxies: Arc<TrustedProxies>,
    /// State of the link to Redis. `None` if ended sessions are not shared.
    link: Option<watch::Receiver<Link>>,
}

/// Sets up the edge. With Redis, starts the part that shares ended sessions.
pub fn set_up(
    configuration: &Configuration,
    tokens: Arc<dyn Tokens>,
    ended_sessions: Arc<EndedSessions>,
    clock: SharedClock,
    bodies: BodyHandling,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<(Edge, EdgeStatus)> {
    let address = configuration.redis.as_ref();
    let redis = address.map(|address| Redis::at(address.expose())).transpose();
    let redis = redis.context("SOUK_REDIS_URL can't be used")?;
    let limits = Arc::new(match (configuration.limits, &redis) {
        (LimitMode::Off | LimitMode::Guesses, _) => Limits::off(),
        (LimitMode::On, None) => Limits::local(),
        (LimitMode::On, Some(redis)) => Limits::shared(Arc::new(RedisCounts::new(redis))),
    });
    let link = redis.map(|redis| {
        let shared = RedisEndedSessions::new(redis, Arc::clone(&ended_sessions), Arc::clone(&clock));
        let link = shared.link();
        let part = parts.sweep("ended-sessions");
        let started_part = Arc::clone(&part);
        tokio::spawn(supervise(part, stopping.clone(), move || {
            started_part.set(Condition::Working);
            let shared = Arc::clone(&shared);
            tokio::spawn(async move {
                shared.run().await;
                Ok(())
            })
        }));
        link
    });
    let proxies = Arc::new(TrustedProxies::new(configuration.trusted_proxies.clone()));
    let edge = Edge {
        routes: Arc::new(routes::table()),
        tokens,
        ended_sessions,
        clock,
        limits: Arc::clone(&limits),
        proxies: Arc::clone(&proxies),
        bodies,
        memory: Arc::default(),
    };
    Ok((edge, EdgeStatus { limits, proxies, link }))
}

/// Returns the same edge for routes that this process handles itself. Their request bodies are read
/// completely before the handler runs.
pub fn with_whole_bodies(edge: Edge) -> Edge {
    Edge { bodies: BodyHandling::ReadHere, ..edge }
}

impl EdgeStatus {
    /// Returns one remark for each problem that an operator should know.
    pub fn remarks(&self) -> Vec<&'static str> {
        let mut remarks = Vec::new();
        if self.limits.mode() == CountingMode::SharedUnavailable {
            remarks.push("limits: this process counts only its own requests, because Redis does not respond");
        }
        if self.link.as_ref().is_some_and(|link| *link.borrow() == Link::Down) {
            remarks.push("sessions: sessions that end in other processes are not known here, because Redis does not respond");
        }
        if self.proxies.has_seen_untrusted_proxy() {
            remarks.push(
                "proxies: requests come through a proxy that is not in SOUK_TRUSTED_PROXIES, so all its clients are counted as one client",
            );
        }
        remarks
    }

    /// Sets the metrics of the edge.
    pub fn measure(&self) {
        if let mode @ (CountingMode::Shared | CountingMode::SharedUnavailable) = self.limits.mode() {
            metrics::gauge!("souk_limits_shared").set(f64::from(mode == CountingMode::Shared));
        }
        if let Some(link) = &self.link {
            metrics::gauge!("souk_denials_shared").set(f64::from(*link.borrow() == Link::Up));
        }
    }
}
