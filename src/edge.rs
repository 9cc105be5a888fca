//! The edge of a process, and how it stands with what it shares with others.

use std::sync::Arc;

use anyhow::Context as _;
use souk_eventsourcing::Clock;
use souk_gateway::limits::Standing;
use souk_gateway::{Bodies, Edge, Limits, TrustedProxies};
use souk_http::Denials;
use souk_http::identity::Tokens;
use souk_redis::{Link, Redis, RedisCounts, RedisDenials};
use tokio::sync::watch;

use crate::configuration::{Configuration, Limiting};
use crate::drivers::parts::{Condition, Parts, supervise};

/// How the edge stands.
#[derive(Clone)]
pub struct EdgeStanding {
    limits: Arc<Limits>,
    proxies: Arc<TrustedProxies>,
    /// None where ended sessions are not shared.
    link: Option<watch::Receiver<Link>>,
}

/// Sets the edge up, and begins to share what is to be shared.
pub fn set_up(
    configuration: &Configuration,
    tokens: Arc<dyn Tokens>,
    denials: Arc<Denials>,
    clock: Arc<dyn Clock>,
    bodies: Bodies,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<(Edge, EdgeStanding)> {
    let address = configuration.redis.as_ref();
    let redis = address.map(|address| Redis::at(address.expose())).transpose();
    let redis = redis.context("SOUK_REDIS_URL can't be used")?;
    let limits = Arc::new(match (configuration.limits, &redis) {
        (Limiting::Off | Limiting::Guesses, _) => Limits::off(),
        (Limiting::On, None) => Limits::local(),
        (Limiting::On, Some(redis)) => Limits::shared(Arc::new(RedisCounts::new(redis))),
    });
    let link = redis.map(|redis| {
        let shared = RedisDenials::new(redis, Arc::clone(&denials), Arc::clone(&clock));
        let link = shared.link();
        let part = parts.sweep("ended-sessions");
        let begun = Arc::clone(&part);
        tokio::spawn(supervise(part, stopping.clone(), move || {
            begun.set(Condition::Working);
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
        tokens,
        denials,
        clock,
        limits: Arc::clone(&limits),
        proxies: Arc::clone(&proxies),
        bodies,
        room: Arc::default(),
    };
    Ok((edge, EdgeStanding { limits, proxies, link }))
}

/// The same edge for what this process answers itself.
pub fn whole(edge: Edge) -> Edge {
    Edge { bodies: Bodies::Whole, ..edge }
}

impl EdgeStanding {
    /// What an operator should know, a line each: nothing when all is as configured.
    pub fn remarks(&self) -> Vec<&'static str> {
        let mut remarks = Vec::new();
        if self.limits.standing() == Standing::FallenBack {
            remarks.push("limits: counted by this process alone, since Redis does not answer");
        }
        if self.link.as_ref().is_some_and(|link| *link.borrow() == Link::Down) {
            remarks.push("sessions: those that end elsewhere are not heard of, since Redis does not answer");
        }
        if self.proxies.lack_one() {
            remarks.push(
                "proxies: requests come through one that SOUK_TRUSTED_PROXIES does not name, so that all its clients are counted as one",
            );
        }
        remarks
    }

    /// Says the same in metrics.
    pub fn measure(&self) {
        if let standing @ (Standing::Shared | Standing::FallenBack) = self.limits.standing() {
            metrics::gauge!("souk_limits_shared").set(f64::from(standing == Standing::Shared));
        }
        if let Some(link) = &self.link {
            metrics::gauge!("souk_denials_shared").set(f64::from(*link.borrow() == Link::Up));
        }
    }
}
