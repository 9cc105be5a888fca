//! `souk serve --role gateway`: runs the edge as a separate process in front of upstreams.

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use axum::Router;
use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use souk_configuration::Configuration;
use souk_gateway::proxy::{self, Upstream, UpstreamHealth, UpstreamLimits, UpstreamState, Upstreams};
use souk_gateway::{BodyHandling, TrustedProxies, edge, with_browser_headers};
use souk_http::routes::operations::{LIVE, METRICS, READY};
use souk_http::{EndedSessions, Problem, PublishedKeys, catalogue};
use tokio::sync::watch;

use crate::clock::SystemClock;
use crate::drivers::parts::{Condition, Parts, supervise};
use crate::edge::{self as edges, EdgeStatus};
use crate::listen::{Addresses, Listeners};
use crate::release_gate::{self, Gates};
use crate::serve::{DRAIN_MAX, ServeOptions, Signals, announce, connections, start_servers};

/// Number of open files for one client connection of a gateway: the connection itself, and one to an
/// upstream.
const FILES_PER_CONNECTION: usize = 2;

/// Addresses of the upstreams of a gateway.
#[derive(Clone, Copy, Debug)]
pub struct UpstreamAddresses<'a> {
    /// Address of the upstream for writes.
    pub commands: &'a str,
    /// Address of the upstream for reads.
    pub queries: &'a str,
    /// Timeout of a response. A route may have a shorter timeout.
    pub timeout: Duration,
}

/// State of the routes for operators.
#[derive(Clone)]
struct Operations {
    upstreams: Upstreams,
    health: Arc<UpstreamHealth>,
    keys: Arc<PublishedKeys>,
    edge: EdgeStatus,
    parts: Parts,
    metrics: PrometheusHandle,
    gates: Gates,
}

/// Runs a gateway until a stop signal.
pub async fn serve(
    configuration: &Configuration,
    addresses: UpstreamAddresses<'_>,
    options: ServeOptions,
) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    let Listeners { main: listener, internal } = Addresses::reserve(configuration)?.listen()?;
    let address = listener.local_addr()?;
    let (stop, stopping) = watch::channel(false);
    let (main, internal_app) = apps(configuration, addresses, &stopping)?;
    let UpstreamAddresses { commands, queries, .. } = addresses;
    announce(options, address, || {
        format!(
            "The gateway of Souk is open at http://{address} (writes go to {commands}, reads to {queries})"
        )
    })?;
    let internal = internal.map(|listener| (listener, internal_app));
    let connections = connections(configuration, FILES_PER_CONNECTION);
    let mut servers = start_servers((listener, main), internal, connections, stopping);
    tokio::select! {
        () = signals.wait() => {}
        () = servers.wait_for_end() => anyhow::bail!("the HTTP server has ended unexpectedly"),
    }
    tracing::info!("stopping");
    stop.send_replace(true);
    tokio::select! {
        ended = tokio::time::timeout(DRAIN_MAX, servers.main) => {
            if ended.is_err() {
                tracing::warn!("some responses were interrupted");
            }
        }
        () = signals.wait() => {}
    }
    Ok(())
}

/// Starts the part that reads the public signing keys from the upstream again and again.
fn follow_keys(
    upstream: &Arc<Upstream>,
    keys: &Arc<PublishedKeys>,
    parts: &Parts,
    stopping: &watch::Receiver<bool>,
) {
    let part = parts.sweep("token-keys");
    let upstream = Arc::clone(upstream);
    let keys = Arc::clone(keys);
    let run_part = Arc::clone(&part);
    let begin = move || {
        run_part.set(Condition::Working);
        let following = proxy::follow(Arc::clone(&upstream), Arc::clone(&keys));
        tokio::spawn(async move {
            following.await;
            Ok(())
        })
    };
    tokio::spawn(supervise(part, stopping.clone(), begin));
}

/// Creates the router for clients, and the router for operators.
fn apps(
    configuration: &Configuration,
    addresses: UpstreamAddresses<'_>,
    stopping: &watch::Receiver<bool>,
) -> anyhow::Result<(Router, Router)> {
    // The recorder comes first: metrics before it are lost.
    let recorder = PrometheusBuilder::new().install_recorder()?;
    let limits = UpstreamLimits { response_time_max: addresses.timeout, ..UpstreamLimits::default() };
    let upstream = |name, address| {
        Upstream::new(name, address, limits)
            .with_context(|| format!("{address} can't be used as the upstream `{name}`"))
    };
    let upstreams = Upstreams {
        commands: upstream("commands", addresses.commands)?,
        queries: upstream("queries", addresses.queries)?,
        proxies: Arc::new(TrustedProxies::new(configuration.trusted_proxies.clone())),
    };
    let keys = Arc::new(PublishedKeys::default());
    let parts = Parts::default();
    follow_keys(&upstreams.commands, &keys, &parts, stopping);
    let (settings, status) = edges::set_up(
        configuration,
        keys.clone(),
        Arc::new(EndedSessions::default()),
        Arc::new(SystemClock),
        BodyHandling::Forwarded,
        &parts,
        stopping,
    )?;
    let gates = Gates::default();
    let operations = Operations {
        health: Arc::new(UpstreamHealth::new(&upstreams)),
        upstreams: upstreams.clone(),
        keys,
        edge: status,
        parts,
        metrics: recorder,
        gates: gates.clone(),
    };
    let health = Router::new()
        .route(LIVE, get(|| async { "live" }))
        .route(READY, get(ready))
        .with_state(operations.clone());
    let metrics = Router::new().route(METRICS, get(metrics)).with_state(operations);
    let mut router = proxy::router(&upstreams, &settings.routes).merge(health);
    if configuration.internal_listen.is_none() {
        router = router.merge(metrics.clone());
    }
    // This process handles the routes for operators itself.
    let internal_settings = edges::with_whole_bodies(settings.clone());
    let internal = metrics.merge(release_gate::router(gates)).merge(catalogue::pages());
    let internal = edge(internal, internal_settings);
    Ok((with_browser_headers(edge(router, settings), configuration.cors_origins.clone()), internal))
}

impl Operations {
    /// Returns the reason why the gateway is not ready: it does not know the signing keys yet, or none of its
    /// upstreams responds. With one upstream, the gateway is ready, because it still handles reads or writes.
    async fn why_not_ready(&self) -> Option<&'static str> {
        if !self.keys.is_known() {
            return Some("the signing keys are not known yet: the upstream `commands` does not respond");
        }
        let is_reached = self.health.check().await.contains(&true);
        (!is_reached).then_some("no upstream responds")
    }

    /// Returns one remark for each problem that an operator should know.
    async fn remarks(&self) -> Vec<String> {
        let mut remarks: Vec<String> = self.edge.remarks().into_iter().map(str::to_owned).collect();
        remarks.extend(self.parts.remarks());
        let upstreams = [&self.upstreams.commands, &self.upstreams.queries];
        for (upstream, is_answering) in upstreams.into_iter().zip(self.health.check().await) {
            match upstream.state() {
                UpstreamState::Closed if is_answering => {}
                UpstreamState::Closed => remarks.push(format!("{}: does not respond", upstream.name())),
                UpstreamState::HalfOpen => {
                    remarks.push(format!("{}: failed before, a test request is running", upstream.name()));
                }
                UpstreamState::Open => {
                    remarks
                        .push(format!("{}: failed too often, gets no requests for a while", upstream.name()));
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
    operations.edge.measure();
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
