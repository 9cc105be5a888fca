//! `souk serve`: runs the HTTP server of the shop, from the start to a graceful stop.

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
use souk_configuration::{Configuration, Role};
use souk_gateway::server::{self, Connections, INTERNAL_CONNECTIONS_MAX, files};
use souk_gateway::{BodyHandling, edge, with_browser_headers};
use souk_http::routes::operations::{API_DOCUMENT, DOCS, LIVE, METRICS, READY};
use souk_http::{Problem, catalogue};
use souk_query_api::ReadPositions;
use souk_sqlite_log::SqliteLog;
use tokio::net::TcpListener;
use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::demo;
use crate::edge::{self as edges, EdgeStatus};
use crate::embedded::{Embedded, Readiness};
use crate::gateway::{self, UpstreamAddresses};
use crate::listen::{Addresses, Listeners};
use crate::openapi;
use crate::release_gate::{self, Gates};

/// Maximum time for running requests and tasks after a stop signal.
pub const DRAIN_MAX: Duration = Duration::from_secs(5);

/// Timeout of the test query in the readiness check. A timeout does not count as a failure, because the shop
/// may be busy.
const READ_PROBE_MAX: Duration = Duration::from_secs(1);
/// Number of open files for one client connection of a shop: the connection itself.
const FILES_PER_CONNECTION: usize = 1;

/// Options of `souk serve`.
#[derive(Clone, Copy, Debug, Default)]
pub struct ServeOptions {
    /// Starts without the demo catalogue.
    pub empty: bool,
    /// Prints only the address, as a JSON line.
    pub json: bool,
}

/// Runs the role of this process until a stop signal.
pub async fn serve(configuration: &Configuration, options: ServeOptions) -> anyhow::Result<()> {
    match &configuration.role {
        Role::Shop => serve_shop(configuration, options).await,
        Role::Gateway { commands, queries, timeout } => {
            let upstreams = UpstreamAddresses { commands, queries, timeout: *timeout };
            gateway::serve(configuration, upstreams, options).await
        }
    }
}

async fn serve_shop(configuration: &Configuration, options: ServeOptions) -> anyhow::Result<()> {
    let mut signals = Signals::new()?;
    // The recorder comes first: metrics before it are lost.
    let metrics = PrometheusBuilder::new().install_recorder()?;
    // The addresses are reserved before the shop starts, so that a used address ends the program early.
    let addresses = Addresses::reserve(configuration)?;
    let mut shop = Embedded::start(configuration).await?;
    let Listeners { main: listener, internal } = addresses.listen()?;
    let address = listener.local_addr()?;
    shop.folder.announce(&format!("http://{address}"))?;
    let catalogue_loaded = Arc::new(AtomicBool::new(options.empty));
    let Apps { main, internal: internal_app } = apps(&shop, configuration, &catalogue_loaded, metrics)?;
    announce(options, address, || welcome(configuration, address, options))?;

    let internal = internal.map(|listener| (listener, internal_app));
    let connections = connections(configuration, FILES_PER_CONNECTION);
    let mut servers = start_servers((listener, main), internal, connections, shop.stopping.clone());
    if !options.empty {
        demo::load(&shop).await?;
        catalogue_loaded.store(true, Ordering::Relaxed);
    }
    tokio::select! {
        () = signals.wait() => {}
        () = servers.wait_for_end() => anyhow::bail!("the HTTP server has ended unexpectedly"),
    }
    tracing::info!("stopping");
    shop.begin_stop();
    let stopped = async {
        // If the server task failed, it has no running requests.
        let _ = servers.main.await;
        shop.stop().await;
    };
    let is_complete = tokio::select! {
        ended = tokio::time::timeout(DRAIN_MAX, stopped) => ended.is_ok(),
        () = signals.wait() => false,
    };
    if !is_complete {
        tracing::warn!("some work was interrupted; it continues at the next start");
    }
    Ok(())
}

/// Starts the HTTP servers. The server for clients runs until `stopping` becomes true. The server for
/// operators runs until the process ends, because the metrics of the stop are useful too.
pub fn start_servers(
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
        // An error means that the sender is gone, so the process ends.
        let _ = stopping.wait_for(|stop| *stop).await;
    };
    let main = tokio::spawn(server::serve(listener, main, connections, graceful));
    Servers { main, internal }
}

/// Raises the limit of open files, and returns the limits of connections. Each connection needs `files_each`
/// open files.
pub fn connections(configuration: &Configuration, files_each: usize) -> Connections {
    let count_max = files::connections(files::raise_limit(), files_each);
    tracing::info!(connections = count_max, "maximum number of connections");
    Connections { count_max, proxies: configuration.trusted_proxies.clone(), ..Connections::default() }
}

/// HTTP servers of a process.
pub struct Servers {
    /// Server for clients.
    pub main: JoinHandle<()>,
    /// Server for operators.
    internal: Option<JoinHandle<()>>,
}

impl Servers {
    /// Returns when a server has ended. The process is useless without its servers.
    pub async fn wait_for_end(&mut self) {
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

/// Stop signals of a process: SIGTERM and Ctrl-C.
pub struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Starts to listen for the signals.
    pub fn new() -> std::io::Result<Self> {
        Ok(Self { terminate: signal(SignalKind::terminate())?, interrupt: signal(SignalKind::interrupt())? })
    }

    /// Waits for the next signal.
    pub async fn wait(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }
}

/// Prints the address of the process, as a JSON line or as text.
#[expect(clippy::print_stdout, reason = "the address is the output of the command")]
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
    let text = format!("Souk is open at http://{address} (data folder: {data}; API description: /docs)\n");
    if options.empty { text } else { format!("{text}\n{}", demo::first_purchase(address)) }
}

/// State of the routes for operators.
#[derive(Clone)]
struct Operations {
    shop: ShopStatus,
    catalogue_loaded: Arc<AtomicBool>,
    edge: EdgeStatus,
    metrics: PrometheusHandle,
    gates: Gates,
    openapi: Bytes,
}

/// Status of a shop, for health and metrics.
#[derive(Clone)]
struct ShopStatus {
    log: Arc<SqliteLog>,
    positions: ReadPositions,
    readiness: Readiness,
    finder: Arc<dyn OrderFinder>,
}

impl Operations {
    fn is_ready(&self) -> bool {
        self.shop.readiness.is_ready() && self.catalogue_loaded.load(Ordering::Relaxed)
    }

    /// Returns the reason why the shop is not ready.
    fn why_not_ready(&self) -> String {
        let parts = self.shop.readiness.parts.remarks();
        if parts.is_empty() { "the shop is catching up".to_owned() } else { parts.join("; ") }
    }
}

/// Routers of the two servers.
struct Apps {
    /// Routes for clients.
    main: Router,
    /// Routes for operators.
    internal: Router,
}

/// Creates the routers with all routes of the shop.
fn apps(
    shop: &Embedded,
    configuration: &Configuration,
    catalogue_loaded: &Arc<AtomicBool>,
    metrics: PrometheusHandle,
) -> anyhow::Result<Apps> {
    let positions = ReadPositions::new(shop.followed.clone(), shop.log.watch_head(), shop.stopping.clone());
    let (settings, status) = edges::set_up(
        configuration,
        shop.ports.keys.clone(),
        Arc::clone(&shop.ports.accounts.ended_sessions),
        Arc::clone(&shop.ports.clock),
        BodyHandling::ReadHere,
        &shop.parts,
        &shop.stopping,
    )?;
    let (router, api) = openapi::api(shop, &positions, &settings.routes);
    let gates = Gates::default();
    let operations = Operations {
        edge: status,
        shop: ShopStatus {
            log: shop.log.clone(),
            positions,
            readiness: shop.readiness(),
            finder: Arc::clone(&shop.ports.finder),
        },
        catalogue_loaded: Arc::clone(catalogue_loaded),
        metrics,
        gates: gates.clone(),
        openapi: api.to_pretty_json()?.into(),
    };
    let pages = Router::new()
        .route(LIVE, get(|| async { "live" }))
        .route(READY, get(ready))
        .route(API_DOCUMENT, get(document))
        .route(DOCS, get(docs))
        .with_state(operations.clone());
    let metrics = Router::new().route(METRICS, get(measured)).with_state(operations);
    let mut router = router.merge(pages).merge(catalogue::pages());
    if configuration.internal_listen.is_none() {
        router = router.merge(metrics.clone());
    }
    let internal =
        edge(metrics.merge(release_gate::router(gates)).merge(catalogue::pages()), settings.clone());
    let main = with_browser_headers(edge(router, settings), configuration.cors_origins.clone());
    Ok(Apps { main, internal })
}

async fn ready(State(operations): State<Operations>) -> Response {
    if !operations.is_ready() {
        return Problem::new("read-model-behind", operations.why_not_ready()).retry_after(1).into_response();
    }
    // Followers write through separate connections, so they may work while reads fail.
    let probe = tokio::time::timeout(READ_PROBE_MAX, operations.shop.finder.open_debts());
    if matches!(probe.await, Ok(Err(_))) {
        let detail = "the read models can't be read; see the log lines of this process";
        return Problem::new("read-model-behind", detail).retry_after(1).into_response();
    }
    let parts = operations.shop.readiness.parts.remarks();
    let remarks = operations.edge.remarks().into_iter().chain(parts.iter().map(String::as_str));
    let lines: Vec<&str> = std::iter::once("ready").chain(remarks).collect();
    (StatusCode::OK, lines.join("\n")).into_response()
}

async fn measured(State(operations): State<Operations>) -> String {
    operations.edge.measure();
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
    // If the read models can't be read, the number is unknown.
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
    // The script in the page may read only from this server.
    const POLICY: &str = "default-src 'none'; script-src 'unsafe-inline'; style-src 'unsafe-inline'; \
                           connect-src 'self'; frame-ancestors 'none'";
    ([(header::CONTENT_SECURITY_POLICY, POLICY)], Html(include_str!("docs.html"))).into_response()
}
