//! `souk serve --role gateway`: the edge as a process of its own.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use souk_gateway::proxy::{self, Patience, Reach, Upstream, UpstreamState, Upstreams};
use souk_gateway::{Bodies, TrustedProxies, edge, for_browsers};
use souk_http::{Denials, Problem, PublishedKeys, catalogue};
use tokio::sync::watch;

use crate::clock::SystemClock;
use crate::configuration::Configuration;
use crate::drivers::parts::{Condition, Parts, supervise};
use crate::edge::{self as edges, EdgeStanding};
use crate::listen::{Addresses, Listeners};
use crate::release_gate::{self, Gates};
use crate::serve::{DRAIN_MAX, ServeOptions, Signals, announce, answer, connections};

/// Files that a connection of a client needs in a gateway: its own, and one to an upstream.
const FILES_PER_CONNECTION: usize = 2;

/// Whom a gateway stands in front of.
#[derive(Clone, Copy, Debug)]
pub struct Behind<'a> {
    /// Who answers writes.
    pub commands: &'a str,
    /// Who answers reads.
    pub queries: &'a str,
    /// How long an answer may take, where its route allows more.
    pub timeout: Duration,
}

/// What operations look at.
#[derive(Clone)]
struct Operations {
    upstreams: Upstreams,
    reach: Arc<Reach>,
    keys: Arc<PublishedKeys>,
    standing: EdgeStanding,
    parts: Parts,
    metrics: PrometheusHandle,
    gates: Gates,
}

/// Runs a gateway until it is told to stop.
pub async fn serve(
    configuration: &Configuration,
    behind: Behind<'_>,
    options: ServeOptions,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let Listeners { main: listener, internal } = Addresses::take(configuration)?.listen()?;
    let address = listener.local_addr()?;
    let (stop, stopping) = watch::channel(false);
    let (main, app_of_internal) = apps(configuration, behind, &stopping)?;
    let Behind { commands, queries, .. } = behind;
    announce(options, address, || {
        format!("Souk's gateway is open at http://{address} (writes go to {commands}, reads to {queries})")
    })?;
    let internal = internal.map(|listener| (listener, app_of_internal));
    let connections = connections(configuration, FILES_PER_CONNECTION);
    let mut servers = answer((listener, main), internal, connections, stopping);
    tokio::select! {
        () = signals.wait() => {}
        () = servers.ended() => anyhow::bail!("the HTTP server has ended by itself"),
    }
    tracing::info!("stopping");
    stop.send_replace(true);
    tokio::select! {
        ended = tokio::time::timeout(DRAIN_MAX, servers.main) => {
            if ended.is_err() {
                tracing::warn!("some answers were cut");
            }
        }
        () = signals.wait() => {}
    }
    Ok(())
}

/// Reads the keys of tokens again and again.
fn follow_keys(
    upstream: &Arc<Upstream>,
    keys: &Arc<PublishedKeys>,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) {
    let part = parts.sweep("token-keys");
    let (upstream, keys, begun) = (Arc::clone(upstream), Arc::clone(keys), Arc::clone(&part));
    let begin = move || {
        begun.set(Condition::Working);
        let following = proxy::follow(Arc::clone(&upstream), Arc::clone(&keys));
        tokio::spawn(async move {
            following.await;
            Ok(())
        })
    };
    tokio::spawn(supervise(part, stopping.clone(), begin));
}

/// What everybody asks, and what operators ask.
fn apps(
    configuration: &Configuration,
    behind: Behind<'_>,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<(Router, Router)> {
    // First of all: what is counted before there is a recorder is counted nowhere.
    let recorder = PrometheusBuilder::new().install_recorder()?;
    let patience = Patience { answer_max: behind.timeout, ..Patience::default() };
    let upstream = |name, address| {
        Upstream::new(name, address, patience)
            .with_context(|| format!("{address} can't be the upstream `{name}`"))
    };
    let upstreams = Upstreams {
        commands: upstream("commands", behind.commands)?,
        queries: upstream("queries", behind.queries)?,
        proxies: Arc::new(TrustedProxies::new(configuration.trusted_proxies.clone())),
    };
    let keys = Arc::new(PublishedKeys::default());
    let parts = Parts::default();
    follow_keys(&upstreams.commands, &keys, &parts, stopping);
    let (settings, standing) = edges::set_up(
        configuration,
        keys.clone(),
        Arc::new(Denials::default()),
        Arc::new(SystemClock),
        Bodies::PassedOn,
        &parts,
        stopping,
    )?;
    let gates = Gates::default();
    let operations = Operations {
        reach: Arc::new(Reach::new(&upstreams)),
        upstreams: upstreams.clone(),
        keys,
        standing,
        parts,
        metrics: recorder,
        gates: gates.clone(),
    };
    let health = Router::new()
        .route("/health/live", get(|| async { "live" }))
        .route("/health/ready", get(ready))
        .with_state(operations.clone());
    let metrics = Router::new().route("/metrics", get(metrics)).with_state(operations);
    let mut router = proxy::router(&upstreams).merge(health);
    if configuration.internal_listen.is_none() {
        router = router.merge(metrics.clone());
    }
    // What operators ask is answered here.
    let of_internal = edges::whole(settings.clone());
    let internal = edge(metrics.merge(release_gate::router(gates)).merge(catalogue::pages()), of_internal);
    Ok((for_browsers(edge(router, settings), configuration.cors_origins.clone()), internal))
}

impl Operations {
    /// The reason why a gateway is not ready: it does not know the keys of tokens yet, or none of its upstreams
    /// answers. With one of two it still answers reads or writes, and a load balancer that took it out would take
    /// those away, too.
    async fn why_not_ready(&self) -> Option<&'static str> {
        if !self.keys.is_known() {
            return Some("the keys of tokens were not read yet: the upstream `commands` does not answer");
        }
        let is_reached = self.reach.answering().await.contains(&true);
        (!is_reached).then_some("none of the upstreams answers")
    }

    /// Remarks for an operator, a line each.
    async fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = self.standing.remarks().into_iter().map(str::to_owned).collect();
        remarks.extend(self.parts.remarks());
        let upstreams = [&self.upstreams.commands, &self.upstreams.queries];
        for (upstream, is_answering) in upstreams.into_iter().zip(self.reach.answering().await) {
            match upstream.state() {
                UpstreamState::Closed if is_answering => {}
                UpstreamState::Closed => remarks.push(format!("{}: does not answer", upstream.name())),
                UpstreamState::HalfOpen => remarks.push(format!("{}: tried again", upstream.name())),
                UpstreamState::Open => {
                    remarks.push(format!("{}: failed too often, left alone", upstream.name()));
                }
            }
        }
        remarks
    }
}

async fn ready(State(operations): State<Operations>) -> Response {
    let remarks = operations.remarks().await;
    if let Some(why) = operations.why_not_ready().await {
        let detail = std::iter::once(why).chain(remarks.iter().map(String::as_str)).collect::<Vec<_>>();
        return Problem::new("upstream-unavailable", detail.join("; ")).retry_after(1).into_response();
    }
    let lines: Vec<&str> = std::iter::once("ready").chain(remarks.iter().map(String::as_str)).collect();
    (StatusCode::OK, lines.join("\n")).into_response()
}

async fn metrics(State(operations): State<Operations>) -> String {
    operations.standing.measure();
    metrics::gauge!("souk_ready").set(f64::from(operations.why_not_ready().await.is_none()));
    for upstream in [&operations.upstreams.commands, &operations.upstreams.queries] {
        let state = match upstream.state() {
            UpstreamState::Closed => 0.0,
            UpstreamState::HalfOpen => 1.0,
            UpstreamState::Open => 2.0,
        };
        metrics::gauge!("souk_upstream_state", "upstream" => upstream.name()).set(state);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; there are few mebibytes")]
        let unread_bytes = upstream.unread_bytes() as f64;
        metrics::gauge!("souk_upstream_unread_bytes", "upstream" => upstream.name()).set(unread_bytes);
    }
    operations.metrics.render() + &operations.gates.render()
}
