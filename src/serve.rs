//! `souk serve`: HTTP in front of the shop, from start to a graceful stop.

use std::io::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{Html, IntoResponse, Response};
use axum::routing::get;
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusHandle};
use souk_command_api::OrderFinder;
use souk_gateway::server::{self, Connections, INTERNAL_CONNECTIONS_MAX, files};
use souk_gateway::{Bodies, edge, for_browsers};
use souk_http::{Problem, catalogue};
use souk_query_api::ReadPositions;
use souk_sqlite_log::SqliteLog;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::configuration::{Configuration, Role};
use crate::demo;
use crate::edge::{self as edges, EdgeStanding};
use crate::embedded::{Embedded, Readiness};
use crate::gateway::{self, Behind};
use crate::listen::{Addresses, Listeners};
use crate::openapi;
use crate::release_gate::{self, Gates};

/// How long what is under way may take once the shop stops.
pub const DRAIN_MAX: Duration = Duration::from_secs(5);

/// The time that readiness waits for a read of the read models. A shop that is busy is not unready.
const READ_PROBE_MAX: Duration = Duration::from_secs(1);
/// Files that a connection of a client needs in a shop: its own.
const FILES_PER_CONNECTION: usize = 1;

/// What flags of `souk serve` say.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServeOptions {
    /// Leaves the demo catalogue out.
    pub empty: bool,
    /// Prints the address as a JSON line, and nothing else.
    pub json: bool,
}

/// Runs what this process is for until it is told to stop.
pub async fn serve(configuration: &Configuration, options: ServeOptions) -> anyhow::Result<()> {
    match &configuration.role {
        Role::Shop => serve_shop(configuration, options).await,
        Role::Gateway { commands, queries, timeout } => {
            gateway::serve(configuration, Behind { commands, queries, timeout: *timeout }, options).await
        }
    }
}

async fn serve_shop(configuration: &Configuration, options: ServeOptions) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    // First of all: what is counted before there is a recorder is counted nowhere.
    let metrics = PrometheusBuilder::new().install_recorder()?;
    // Before anything is started that would complain of an early end.
    let addresses = Addresses::take(configuration)?;
    let mut shop = Embedded::start(configuration).await?;
    let Listeners { main: listener, internal } = addresses.listen()?;
    let address = listener.local_addr()?;
    shop.folder.announce(&format!("http://{address}"))?;
    let catalogue_loaded = Arc::new(AtomicBool::new(options.empty));
    let Apps { main, internal: app_of_internal } = apps(&shop, configuration, &catalogue_loaded, metrics)?;
    announce(options, address, || welcome(configuration, address, options))?;

    let internal = internal.map(|listener| (listener, app_of_internal));
    let connections = connections(configuration, FILES_PER_CONNECTION);
    let mut servers = answer((listener, main), internal, connections, shop.stopping.clone());
    if !options.empty {
        demo::load(&shop).await?;
        catalogue_loaded.store(true, Ordering::Relaxed);
    }
    tokio::select! {
        () = signals.wait() => {}
        () = servers.ended() => anyhow::bail!("the HTTP server has ended by itself"),
    }
    tracing::info!("stopping");
    shop.begin_stop();
    let stopped = async {
        // A server that failed has nothing left to answer.
        let _ = servers.main.await;
        shop.stop().await;
    };
    let is_whole = tokio::select! {
        ended = tokio::time::timeout(DRAIN_MAX, stopped) => ended.is_ok(),
        () = signals.wait() => false,
    };
    if !is_whole {
        tracing::warn!("some work was cut; it goes on at the next start");
    }
    Ok(())
}

/// Answers everybody until told to stop, and operators, where they have a listener, until the process ends: how
/// the end goes is of interest, too.
pub fn answer(
    (listener, main): (TcpListener, Router),
    internal: Option<(TcpListener, Router)>,
    connections: Connections,
    mut stopping: watch::Receiver<bool>,
) -> Servers {
    let internal = internal.map(|(listener, router)| {
        let forever = std::future::pending();
        let connections = Connections { count_max: INTERNAL_CONNECTIONS_MAX, ..connections.clone() };
        tokio::spawn(server::serve(listener, router, connections, forever))
    });
    let graceful = async move {
        // The sender goes only with the process.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    let main = tokio::spawn(server::serve(listener, main, connections, graceful));
    Servers { main, internal }
}

/// The limits of connections, where each needs so many files. The limit of open files is raised first.
pub fn connections(configuration: &Configuration, files_each: usize) -> Connections {
    let count_max = files::connections(files::raise_limit(), files_each);
    tracing::info!(connections = count_max, "connections at once");
    Connections { count_max, proxies: configuration.trusted_proxies.clone(), ..Connections::default() }
}

/// The HTTP servers of a process.
pub struct Servers {
    /// The server that everybody asks.
    pub main: JoinHandle<()>,
    /// The server that operators ask.
    internal: Option<JoinHandle<()>>,
}

impl Servers {
    /// Returns when one of them has ended; without them the process is of no use.
    pub async fn ended(&mut self) {
        let internal = async {
            match &mut self.internal {
                Some(internal) => drop(internal.await),
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            _ = &mut self.main => {}
            () = internal => {}
        }
    }
}

/// What tells a process to stop.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Listens to them.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Says where the process is: as a JSON line, or as people like it.
#[expect(clippy::print_stdout, reason = "this is what the command is asked to print")]
pub fn announce(
    options: ServeOptions,
    address: SocketAddr,
    welcome: impl FnOnce() -> String,
) -> anyhow::Result<()> {
    if options.json {
        println!("{}", serde_json::json!({ "listening": format!("http://{address}") }));
    } else {
        println!("{}", welcome());
    }
    Ok(std::io::stdout().flush()?)
}

fn welcome(configuration: &Configuration, address: SocketAddr, options: ServeOptions) -> String {
    let data = configuration.data.display();
    let open = format!("Souk is open at http://{address} (its data is in {data}; API at /docs)\n");
    if options.empty { open } else { format!("{open}\n{}", demo::first_purchase(address)) }
}

#[derive(Clone)]
struct Operations {
    shop: OperationsOf,
    catalogue_loaded: Arc<AtomicBool>,
    standing: EdgeStanding,
    metrics: PrometheusHandle,
    gates: Gates,
    openapi: Bytes,
}

/// What operations look at of a shop.
#[derive(Clone)]
struct OperationsOf {
    log: Arc<SqliteLog>,
    positions: ReadPositions,
    readiness: Readiness,
    finder: Arc<dyn OrderFinder>,
}

impl Operations {
    fn is_ready(&self) -> bool {
        self.shop.readiness.is_given() && self.catalogue_loaded.load(Ordering::Relaxed)
    }
}

impl Operations {
    /// The reason why the shop is not ready.
    fn why_not_ready(&self) -> String {
        let parts = self.shop.readiness.parts.remarks();
        if parts.is_empty() { "the shop is catching up".to_owned() } else { parts.join("; ") }
    }
}

/// What is asked where.
struct Apps {
    /// By everybody.
    main: Router,
    /// By operators, where there is an internal listener.
    internal: Router,
}

/// Every route of the shop in one process.
fn apps(
    shop: &Embedded,
    configuration: &Configuration,
    catalogue_loaded: &Arc<AtomicBool>,
    metrics: PrometheusHandle,
) -> anyhow::Result<Apps> {
    let positions = ReadPositions::new(shop.followed.clone(), shop.log.watch_head(), shop.stopping.clone());
    let (router, api) = openapi::api(shop, &positions);
    let (settings, standing) = edges::set_up(
        configuration,
        shop.shop.keys.clone(),
        Arc::clone(&shop.shop.accounts.denials),
        Arc::clone(&shop.shop.clock),
        Bodies::Whole,
        &shop.parts,
        &shop.stopping,
    )?;
    let gates = Gates::default();
    let operations = Operations {
        standing,
        shop: OperationsOf {
            log: shop.log.clone(),
            positions,
            readiness: shop.readiness(),
            finder: Arc::clone(&shop.shop.finder),
        },
        catalogue_loaded: Arc::clone(catalogue_loaded),
        metrics,
        gates: gates.clone(),
        openapi: api.to_pretty_json()?.into(),
    };
    let pages = Router::new()
        .route("/health/live", get(|| async { "live" }))
        .route("/health/ready", get(ready))
        .route("/openapi.json", get(document))
        .route("/docs", get(docs))
        .with_state(operations.clone());
    let metrics = Router::new().route("/metrics", get(measured)).with_state(operations);
    let mut router = router.merge(pages).merge(catalogue::pages());
    if configuration.internal_listen.is_none() {
        router = router.merge(metrics.clone());
    }
    let internal =
        edge(metrics.merge(release_gate::router(gates)).merge(catalogue::pages()), settings.clone());
    let main = for_browsers(edge(router, settings), configuration.cors_origins.clone());
    Ok(Apps { main, internal })
}

async fn ready(State(operations): State<Operations>) -> Response {
    if !operations.is_ready() {
        return Problem::new("read-model-behind", operations.why_not_ready()).retry_after(1).into_response();
    }
    // Followers write through connections of their own, and may be well while nobody can read.
    let probe = tokio::time::timeout(READ_PROBE_MAX, operations.shop.finder.open_debts());
    if matches!(probe.await, Ok(Err(_))) {
        let detail = "the read models can't be read; the log of this process says why";
        return Problem::new("read-model-behind", detail).retry_after(1).into_response();
    }
    let parts = operations.shop.readiness.parts.remarks();
    let remarks = operations.standing.remarks().into_iter().chain(parts.iter().map(String::as_str));
    let lines: Vec<&str> = std::iter::once("ready").chain(remarks).collect();
    (StatusCode::OK, lines.join("\n")).into_response()
}

async fn measured(State(operations): State<Operations>) -> String {
    operations.standing.measure();
    let counters = operations.shop.log.counters();
    metrics::counter!("souk_log_commits_total").absolute(counters.commits);
    metrics::counter!("souk_log_commit_microseconds_total").absolute(counters.commit_micros);
    metrics::counter!("souk_log_appends_total").absolute(counters.appends);
    metrics::counter!("souk_log_events_total").absolute(counters.events);
    let (reached, head) = operations.shop.positions.now();
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; a lag is small")]
    metrics::gauge!("souk_read_models_lag_events").set(head.0.saturating_sub(reached.0) as f64);
    metrics::gauge!("souk_ready").set(f64::from(operations.is_ready()));
    metrics::gauge!("souk_read_models_stalled").set(f64::from(operations.shop.positions.is_stalled()));
    operations.shop.readiness.parts.measure(head);
    // No number is known while the read models can't be read: neither the last one nor none.
    #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; few are open")]
    let debts = operations.shop.finder.open_debts().await.map_or(f64::NAN, |debts| debts as f64);
    metrics::gauge!("souk_payment_debts").set(debts);
    for model in souk_projections::models() {
        let parked = operations.shop.positions.parked_in(&[model.name]);
        #[expect(clippy::cast_precision_loss, reason = "a gauge is a float; few are parked")]
        metrics::gauge!("souk_read_models_parked", "model" => model.name).set(parked as f64);
    }
    operations.metrics.render() + &operations.gates.render()
}

async fn document(State(operations): State<Operations>) -> Response {
    ([(header::CONTENT_TYPE, "application/json")], operations.openapi).into_response()
}

async fn docs() -> Response {
    // The page's own script reads the document of this server, and nothing else.
    const ITS_OWN: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           connect-src 'self'; frame-ancestors 'none'";
    ([(header::CONTENT_SECURITY_POLICY, ITS_OWN)], Html(include_str!("docs.html"))).into_response()
}
