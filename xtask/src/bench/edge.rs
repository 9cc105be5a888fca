//! Benchmark of the edge: its layers in front of a handler, a gateway in front of a shop, sign-ins during
//! checkouts, and sealed personal data.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, ensure};
use axum::Router;
use futures_util::future::join_all;
use jiff::Timestamp;
use serde_json::json;
use souk_domain::{Currency, CustomerId};
use souk_eventsourcing::testkit::KeysInMemory;
use souk_eventsourcing::{Clock, Position};
use souk_gateway::server::{Connections, serve};
use souk_gateway::{BodyHandling, Edge, Limits, RouteTable, TrustedProxies, edge, with_browser_headers};
use souk_http::identity::{Grant, issue};
use souk_http::{Guard, Keys, Role};
use souk_mail_folder::MailFolder;
use souk_query_api::{ParkedEntities, QueryPorts, QueryState, ReadModelProgress, ReadPositions};
use souk_sqlite_credentials::SqliteCredentials;
use souk_sqlite_read_models::READ_MODELS_FILE;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::JoinSet;
use uuid::Uuid;

use crate::real_data;
use crate::shop::{Call, Server, ShopClient, admin_token};

use super::open_shop::{OpenShop, order_of};
use super::row::Row;
use super::{Bench, client_runtime, figure, median, month};

/// Number of concurrent connections.
const CONNECTIONS: usize = 8;
/// Number of requests per connection in one turn.
const REQUESTS_EACH: usize = 2_000;
/// Number of turns with and without the edge layers, alternating.
const TURNS: usize = 5;
/// Number of users, each with its own client address: enough that no user reaches a rate limit.
const PEOPLE: usize = 250;
/// Path of the measured read.
const READ: &str = "/api/products?limit=20";
/// Number of requests through the gateway and without it, alternating.
const PROXIED: usize = 2_000;
/// Number of products: enough that clients seldom order the same product.
const SKUS: usize = 200;
/// Stock of each product, which never runs out.
const UNITS: u32 = 1_000_000;
/// Number of checkouts that start per second.
const CHECKOUTS_A_SECOND: u32 = 200;
/// Duration of the checkouts, in seconds.
const SECONDS: u32 = 10;
/// Number of sign-ins that wait at any time.
const SIGN_INS: usize = 50;
/// Number of turns with and without the measured work, where a turn takes some seconds.
const LONG_TURNS: usize = 3;
/// Password of the test account.
const PASSWORD: &str = "correct horse battery";
/// E-mail address of the test account.
const EMAIL: &str = "ada@example.org";

/// Measures this group of rows of the result table.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    let mut rows = client_runtime()?
        .block_on(async { anyhow::Ok(vec![gateway(bench).await?, during_sign_ins(bench).await?]) })?;
    rows.insert(0, layers(&bench.scratch().join("edge/shop"))?);
    rows.push(sealing(bench)?);
    Ok(rows)
}

/// Compares a month of orders with and without an e-mail address and a postal address. They are sealed when
/// an order is placed, and opened when all orders are read at the end.
fn sealing(bench: &mut Bench) -> Result<Row> {
    let souk = bench.souk()?;
    let months = real_data::one_month(real_data::BENCH_MONTH, bench.scratch())?;
    let mut with = Vec::new();
    let mut without = Vec::new();
    for _ in 0..LONG_TURNS {
        for (people, seconds) in [(false, &mut without), (true, &mut with)] {
            let data = bench.folder("sealing")?.join("shop");
            let figures = month::trade(&souk, &data, &months.files, people)?;
            seconds.push(figures.seconds - figures.stocking_seconds);
        }
    }
    let name = "a month of orders with e-mail and address (sealed and opened), compared with a month without";
    Ok(Row::at_most_times(name, "s", median(with), median(without), 1.1).note(months.described))
}

struct Now;

impl Clock for Now {
    #[expect(clippy::disallowed_methods, reason = "tokens are valid at the real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    #[expect(clippy::disallowed_methods, reason = "no other id is derived from this id")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Serves a router on its own thread, so that it uses one core and its clients the other.
fn serve_router(router: impl Future<Output = Result<Router>>) -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = client_runtime()?;
    let router = runtime.block_on(router)?;
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).expect("the listener is in non-blocking mode");
            serve(listener, router, Connections::default(), std::future::pending()).await;
        });
    });
    Ok(address)
}

/// Router of the query API, assembled as in a shop.
async fn queries(data: &Path, keys: &Keys) -> Result<Router> {
    let (_, is_reached) = watch::channel(Position(u64::MAX));
    let (_, built) = watch::channel(true);
    let (_, behind) = watch::channel(Arc::new(ParkedEntities::default()));
    let (_, stopping) = watch::channel(false);
    let (_, following) = watch::channel(true);
    let followed = ReadModelProgress { reached: is_reached.clone(), following, built, parked: behind };
    let positions = ReadPositions::new(followed, is_reached, stopping);
    let clock: Arc<dyn Clock> = Arc::new(Now);
    let ports = QueryPorts {
        currency: Currency::GBP,
        people: Arc::new(KeysInMemory::default()),
        credentials: Arc::new(SqliteCredentials::open(data).await?),
        outbox: Arc::new(MailFolder::new(data, Arc::clone(&clock))),
        correlation_key: keys.correlation,
        guard: Arc::new(Guard::new(true, Arc::clone(&clock))),
        rebuilding: Arc::new(Vec::new),
        clock,
    };
    let state = QueryState::open(&data.join(READ_MODELS_FILE), positions, ports);
    Ok(souk_query_api::router(state).split_for_parts().0)
}

/// Compares reads through all edge layers with reads from the handler alone, on the read models of a stopped
/// shop.
fn layers(data: &Path) -> Result<Row> {
    let keys = Arc::new(Keys::open(data)?);
    let heads = heads(&keys)?;
    let settings = Edge {
        routes: Arc::new(RouteTable::new(souk_query_api::routes())),
        tokens: keys.clone(),
        ended_sessions: Arc::default(),
        clock: Arc::new(Now),
        limits: Arc::new(Limits::local()),
        proxies: Arc::new(TrustedProxies::new(vec!["127.0.0.0/8".parse()?])),
        bodies: BodyHandling::ReadHere,
        memory: Arc::default(),
    };
    let bare = serve_router(queries(data, &keys))?;
    let edged = serve_router(async {
        Ok(with_browser_headers(edge(queries(data, &keys).await?, settings), Vec::new()))
    })?;
    client_runtime()?.block_on(async {
        let mut with = Vec::new();
        let mut without = Vec::new();
        rate(bare, &heads).await?;
        rate(edged, &heads).await?;
        for _ in 0..TURNS {
            without.push(rate(bare, &heads).await?);
            with.push(rate(edged, &heads).await?);
        }
        let with = median(with);
        let without = median(without);
        let added = (1.0 / with - 1.0 / without) * 1e6;
        let note = format!(
            "20 products per read, one core for the server; the edge layers add {added:.1} µs per request"
        );
        Ok(Row::at_least(
            "reads through the edge layers, compared with the handler alone",
            "/s",
            with,
            without,
            0.85,
        )
        .note(note))
    })
}

/// Heads of requests of signed-in users.
fn heads(keys: &Keys) -> Result<Vec<String>> {
    let mut heads = Vec::new();
    for n in 0..PEOPLE {
        let subject = CustomerId::parse(&format!("person-{n}"))?;
        let ttl = Duration::from_secs(3600);
        let grant = Grant { subject: &subject, role: Role::Customer, ttl, session: Some(Uuid::nil()) };
        let token = issue(keys, grant, Now.now(), Now.new_id());
        heads.push(format!(
            "GET {READ} HTTP/1.1\r\nHost: shop\r\nX-API-Version: v1\r\nAuthorization: Bearer {token}\r\n\
             X-Forwarded-For: 198.51.100.{n}\r\n\r\n"
        ));
    }
    Ok(heads)
}

/// Measures requests per second over connections that wait for each response.
async fn rate(address: SocketAddr, heads: &[String]) -> Result<f64> {
    let started = Instant::now();
    let clients = (0..CONNECTIONS).map(|connection| async move {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; 64 * 1024];
        for n in 0..REQUESTS_EACH {
            stream.write_all(heads[(connection + n * CONNECTIONS) % heads.len()].as_bytes()).await?;
            read_response(&mut stream, &mut buffer).await?;
        }
        anyhow::Ok(())
    });
    join_all(clients).await.into_iter().collect::<Result<()>>()?;
    Ok(figure((CONNECTIONS * REQUESTS_EACH) as u64) / started.elapsed().as_secs_f64())
}

/// Reads one response to its end, and checks that it is a success.
async fn read_response(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await?;
        ensure!(read > 0, "the connection ended, or a response is larger than expected");
        length += read;
        if let Some(end) = memchr::memmem::find(&buffer[..length], b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end])?;
            ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
            let body = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let body: usize = body.context("a response has no length")?;
            if length >= end + 4 + body {
                return Ok(());
            }
        }
    }
}

/// Compares the same read through a gateway and without it, alternating.
async fn gateway(bench: &mut Bench) -> Result<Row> {
    let shop = OpenShop::open(bench, "edge").await?;
    shop.stock(SKUS, UNITS).await?;
    let souk = bench.souk()?;
    let data = bench.scratch().join("edge/shop");
    let upstream = shop.url().to_owned();
    let variables = [
        ("SOUK_ROLE", "gateway".to_owned()),
        ("SOUK_UPSTREAM_COMMANDS", upstream.clone()),
        ("SOUK_UPSTREAM_QUERIES", upstream),
    ];
    let folder = bench.folder("gateway")?.join("none");
    let server = Server::start_on(&souk, &folder, "127.0.0.1:0", &variables).await?;
    let through = ShopClient::new(&server.url, admin_token(&souk, &data)?)?;
    let mut direct_ms = Vec::new();
    let mut through_ms = Vec::new();
    for n in 0..PROXIED {
        for (client, figures) in [(&shop.client, &mut direct_ms), (&through, &mut through_ms)] {
            let started = Instant::now();
            client.send(Call::get("/api/products?limit=1")).await?.success("a read")?;
            if n >= PROXIED / 10 {
                figures.push(started.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    server.stop()?;
    shop.close()?;
    let direct = median(direct_ms);
    let through = median(through_ms);
    let note = format!("median {through:.2} ms through the gateway, {direct:.2} ms without");
    Ok(Row::at_most("time that a gateway adds to a read, median", "ms", through - direct, 0.3).note(note))
}

/// Compares checkouts at a steady rate with and without waiting sign-ins. The turns alternate, because one
/// pause of the machine can change the 99th percentile of a turn.
async fn during_sign_ins(bench: &mut Bench) -> Result<Row> {
    let shop = Arc::new(OpenShop::open(bench, "sign-ins").await?);
    shop.stock(SKUS, UNITS).await?;
    let account = json!({"email": EMAIL, "password": PASSWORD, "name": "Ada"});
    shop.client.send(Call::post("/api/auth/signup", &account)).await?.success("signing up")?;
    run_checkouts(&shop).await?;
    let mut alone = Vec::new();
    let mut during = Vec::new();
    let mut signed_in = 0;
    for _ in 0..LONG_TURNS {
        alone.push(run_checkouts(&shop).await?);
        let (took, signed_in_meanwhile) = run_sign_ins(&shop, run_checkouts(&shop)).await?;
        during.push(took);
        signed_in += signed_in_meanwhile;
    }
    let name = "200 checkouts a second during 50 waiting sign-ins: p99";
    let note = format!(
        "{} sign-ins meanwhile; argon2id with 19 MiB and 2 passes; median of {LONG_TURNS} turns each",
        signed_in / LONG_TURNS
    );
    Ok(Row::at_most_times(name, "ms", median(during), median(alone), 2.0).note(note))
}

/// Runs many concurrent sign-ins during other work. Also returns the number of sign-ins.
async fn run_sign_ins<T>(shop: &Arc<OpenShop>, work: impl Future<Output = Result<T>>) -> Result<(T, usize)> {
    let is_enough = Arc::new(AtomicBool::new(false));
    let signed_in = Arc::new(AtomicUsize::new(0));
    let mut waiting = JoinSet::new();
    for _ in 0..SIGN_INS {
        let shop = shop.clone();
        let is_enough = is_enough.clone();
        let signed_in = signed_in.clone();
        waiting.spawn(async move {
            let login = json!({"email": EMAIL, "password": PASSWORD});
            while !is_enough.load(Ordering::Relaxed) {
                shop.client.send(Call::post("/api/auth/login", &login)).await?.success("signing in")?;
                signed_in.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    // Waits, because the first sign-ins also open connections and files.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let done = work.await?;
    is_enough.store(true, Ordering::Relaxed);
    while let Some(ended) = waiting.join_next().await {
        ended.context("a client panicked")??;
    }
    Ok((done, signed_in.load(Ordering::Relaxed)))
}

/// Runs checkouts at a steady rate, even if earlier ones are not complete. Returns the 99th percentile of
/// their times in milliseconds.
async fn run_checkouts(shop: &Arc<OpenShop>) -> Result<f64> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / CHECKOUTS_A_SECOND);
    let mut running = JoinSet::new();
    for n in 0..(CHECKOUTS_A_SECOND * SECONDS) as usize {
        ticks.tick().await;
        let shop = Arc::clone(shop);
        running.spawn(async move {
            let started = Instant::now();
            let call = Call::post("/api/orders", &order_of(n % SKUS)).wait_s(30);
            shop.client.send(call).await?.success("a checkout")?;
            anyhow::Ok(started.elapsed().as_secs_f64() * 1e3)
        });
    }
    let mut took = Vec::new();
    while let Some(ended) = running.join_next().await {
        took.push(ended.context("a client panicked")??);
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() * 99 / 100])
}
