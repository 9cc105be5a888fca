//! What the edge costs: its layers in front of a handler, a gateway in front of a shop, and sign-ins beside
//! checkouts.

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
use souk_gateway::{Bodies, Edge, Limits, TrustedProxies, edge, for_browsers};
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

/// Connections that ask at once.
const CONNECTIONS: usize = 8;
/// Requests of each in one turn.
const REQUESTS_EACH: usize = 2_000;
/// Turns of each side.
const TURNS: usize = 5;
/// People who ask, each from an address of their own: so many that none of them asks too often.
const PEOPLE: usize = 250;
/// What they ask for.
const READ: &str = "/api/products?limit=20";
/// Requests through the gateway and beside it, in turns.
const PROXIED: usize = 2_000;
/// Products, so many that clients seldom meet.
const SKUS: usize = 200;
/// Units of each: none runs out.
const UNITS: u32 = 1_000_000;
/// Checkouts that arrive in a second, and for how many seconds.
const CHECKOUTS_A_SECOND: u32 = 200;
const SECONDS: u32 = 10;
/// Sign-ins that wait all the time.
const SIGN_INS: usize = 50;
/// Turns with and without, of what takes some seconds.
const LONG_TURNS: usize = 3;
/// A password, and whose it is.
const PASSWORD: &str = "correct horse battery";
const EMAIL: &str = "ada@example.org";

/// The rows of this group.
pub(super) fn rows(bench: &mut Bench) -> Result<Vec<Row>> {
    let mut rows = client_runtime()?
        .block_on(async { anyhow::Ok(vec![gateway(bench).await?, beside_sign_ins(bench).await?]) })?;
    rows.insert(0, layers(&bench.scratch().join("edge/shop"))?);
    rows.push(sealing(bench)?);
    Ok(rows)
}

/// A month whose orders say who and where they are for, beside one whose orders don't: sealed when they are
/// placed, opened when all of them are read back.
fn sealing(bench: &mut Bench) -> Result<Row> {
    let souk = bench.souk()?;
    let months = real_data::one_month(real_data::BENCH_MONTH, bench.scratch())?;
    let (mut with, mut without) = (Vec::new(), Vec::new());
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
    #[expect(clippy::disallowed_methods, reason = "tokens hold for the real time")]
    fn now(&self) -> Timestamp {
        Timestamp::now()
    }
    #[expect(clippy::disallowed_methods, reason = "nothing is derived from it")]
    fn new_id(&self) -> Uuid {
        Uuid::now_v7()
    }
}

/// Serves a router on a thread of its own, so that it has one core and its clients the other.
fn serving(router: impl Future<Output = Result<Router>>) -> Result<SocketAddr> {
    let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
    listener.set_nonblocking(true)?;
    let address = listener.local_addr()?;
    let runtime = client_runtime()?;
    let router = runtime.block_on(router)?;
    std::thread::spawn(move || {
        runtime.block_on(async move {
            let listener = TcpListener::from_std(listener).expect("it is set not to block");
            serve(listener, router, Connections::default(), std::future::pending()).await;
        });
    });
    Ok(address)
}

/// The queries of a shop's read models, as the shop puts them together.
async fn queries(data: &Path, keys: &Keys) -> Result<Router> {
    let (_, is_reached) = watch::channel(Position(u64::MAX));
    let (_, built) = watch::channel(true);
    let (_, behind) = watch::channel(Arc::new(ParkedEntities::default()));
    let (_, stopping) = watch::channel(false);
    let (_, following) = watch::channel(true);
    let followed = ReadModelProgress { reached: is_reached.clone(), following, built, parked: behind };
    let positions = ReadPositions::new(followed, is_reached, stopping);
    let clock: Arc<dyn Clock> = Arc::new(Now);
    let beside = QueryPorts {
        currency: Currency::GBP,
        people: Arc::new(KeysInMemory::default()),
        credentials: Arc::new(SqliteCredentials::open(data).await?),
        outbox: Arc::new(MailFolder::new(data, Arc::clone(&clock))),
        correlation_key: keys.correlation,
        guard: Arc::new(Guard::new(true, Arc::clone(&clock))),
        rebuilding: Arc::new(Vec::new),
        clock,
    };
    let state = QueryState::open(&data.join(READ_MODELS_FILE), positions, beside);
    Ok(souk_query_api::router(state).split_for_parts().0)
}

/// The whole edge in front of a read, beside the read's handler bare: on the read models of a shop that has
/// closed.
fn layers(data: &Path) -> Result<Row> {
    let keys = Arc::new(Keys::open(data)?);
    let heads = heads(&keys)?;
    let settings = Edge {
        tokens: keys.clone(),
        denials: Arc::default(),
        clock: Arc::new(Now),
        limits: Arc::new(Limits::local()),
        proxies: Arc::new(TrustedProxies::new(vec!["127.0.0.0/8".parse()?])),
        bodies: Bodies::Whole,
        room: Arc::default(),
    };
    let bare = serving(queries(data, &keys))?;
    let edged = serving(async { Ok(for_browsers(edge(queries(data, &keys).await?, settings), Vec::new())) })?;
    client_runtime()?.block_on(async {
        let (mut with, mut without) = (Vec::new(), Vec::new());
        rate(bare, &heads).await?;
        rate(edged, &heads).await?;
        for _ in 0..TURNS {
            without.push(rate(bare, &heads).await?);
            with.push(rate(edged, &heads).await?);
        }
        let (with, without) = (median(with), median(without));
        let added = (1.0 / with - 1.0 / without) * 1e6;
        let note = format!("20 products a read, one core to serve; the edge adds {added:.1} µs a request");
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

/// Requests as people send them who are signed in.
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

/// Requests a second over connections that each wait for their answers.
async fn rate(address: SocketAddr, heads: &[String]) -> Result<f64> {
    let started = Instant::now();
    let asked = (0..CONNECTIONS).map(|connection| async move {
        let mut stream = TcpStream::connect(address).await?;
        stream.set_nodelay(true)?;
        let mut buffer = vec![0; 64 * 1024];
        for n in 0..REQUESTS_EACH {
            stream.write_all(heads[(connection + n * CONNECTIONS) % heads.len()].as_bytes()).await?;
            answered(&mut stream, &mut buffer).await?;
        }
        anyhow::Ok(())
    });
    join_all(asked).await.into_iter().collect::<Result<()>>()?;
    Ok(figure((CONNECTIONS * REQUESTS_EACH) as u64) / started.elapsed().as_secs_f64())
}

/// Reads one answer, which is a success, to its end.
async fn answered(stream: &mut TcpStream, buffer: &mut [u8]) -> Result<()> {
    let mut length = 0;
    loop {
        let read = stream.read(&mut buffer[length..]).await?;
        ensure!(read > 0, "the connection ended, or an answer is larger than expected");
        length += read;
        if let Some(end) = memchr::memmem::find(&buffer[..length], b"\r\n\r\n") {
            let head = std::str::from_utf8(&buffer[..end])?;
            ensure!(head.starts_with("HTTP/1.1 200"), "{head}");
            let body = head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let body: usize = body.context("an answer has no length")?;
            if length >= end + 4 + body {
                return Ok(());
            }
        }
    }
}

/// The same read through a gateway and without, one after the other.
async fn gateway(bench: &mut Bench) -> Result<Row> {
    let shop = OpenShop::open(bench, "edge").await?;
    shop.stock(SKUS, UNITS).await?;
    let (souk, data) = (bench.souk()?, bench.scratch().join("edge/shop"));
    let upstream = shop.url().to_owned();
    let variables = [
        ("SOUK_ROLE", "gateway".to_owned()),
        ("SOUK_UPSTREAM_COMMANDS", upstream.clone()),
        ("SOUK_UPSTREAM_QUERIES", upstream),
    ];
    let folder = bench.folder("gateway")?.join("none");
    let server = Server::start_on(&souk, &folder, "127.0.0.1:0", &variables).await?;
    let through = ShopClient::new(&server.url, admin_token(&souk, &data)?)?;
    let (mut direct_ms, mut through_ms) = (Vec::new(), Vec::new());
    for n in 0..PROXIED {
        for (client, figures) in [(&shop.client, &mut direct_ms), (&through, &mut through_ms)] {
            let asked = Instant::now();
            client.send(Call::get("/api/products?limit=1")).await?.success("a read")?;
            if n >= PROXIED / 10 {
                figures.push(asked.elapsed().as_secs_f64() * 1e3);
            }
        }
    }
    server.stop()?;
    shop.close()?;
    let (direct, through) = (median(direct_ms), median(through_ms));
    let note = format!("median {through:.2} ms through the gateway, {direct:.2} ms without");
    Ok(Row::at_most("time that a gateway adds to a read, median", "ms", through - direct, 0.3).note(note))
}

/// Checkouts that arrive at a steady rate, without and with sign-ins that wait, in turns: one hiccup of the
/// machine is longer than one checkout in a hundred may be.
async fn beside_sign_ins(bench: &mut Bench) -> Result<Row> {
    let shop = Arc::new(OpenShop::open(bench, "sign-ins").await?);
    shop.stock(SKUS, UNITS).await?;
    let account = json!({"email": EMAIL, "password": PASSWORD, "name": "Ada"});
    shop.client.send(Call::post("/api/auth/signup", &account)).await?.success("signing up")?;
    arriving(&shop).await?;
    let (mut alone, mut beside, mut signed_in) = (Vec::new(), Vec::new(), 0);
    for _ in 0..LONG_TURNS {
        alone.push(arriving(&shop).await?);
        let (took, signed_in_meanwhile) = signing_in(&shop, arriving(&shop)).await?;
        beside.push(took);
        signed_in += signed_in_meanwhile;
    }
    let name = "200 checkouts a second during 50 waiting sign-ins: p99";
    let note = format!(
        "{} sign-ins meanwhile; argon2id with 19 MiB and 2 passes; median of {LONG_TURNS} turns each",
        signed_in / LONG_TURNS
    );
    Ok(Row::at_most_times(name, "ms", median(beside), median(alone), 2.0).note(note))
}

/// Has somebody sign in again and again, many at once, beside other work; tells how many did.
async fn signing_in<T>(shop: &Arc<OpenShop>, work: impl Future<Output = Result<T>>) -> Result<(T, usize)> {
    let (is_enough, signed_in) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let mut waiting = JoinSet::new();
    for _ in 0..SIGN_INS {
        let (shop, is_enough, signed_in) = (shop.clone(), is_enough.clone(), signed_in.clone());
        waiting.spawn(async move {
            let login = json!({"email": EMAIL, "password": PASSWORD});
            while !is_enough.load(Ordering::Relaxed) {
                shop.client.send(Call::post("/api/auth/login", &login)).await?.success("signing in")?;
                signed_in.fetch_add(1, Ordering::Relaxed);
            }
            anyhow::Ok(())
        });
    }
    // The first of them open connections and files.
    tokio::time::sleep(Duration::from_secs(1)).await;
    let done = work.await?;
    is_enough.store(true, Ordering::Relaxed);
    while let Some(ended) = waiting.join_next().await {
        ended.context("a client panicked")??;
    }
    Ok((done, signed_in.load(Ordering::Relaxed)))
}

/// The 99th percentile of what checkouts take that arrive whether or not those before are done, in ms.
async fn arriving(shop: &Arc<OpenShop>) -> Result<f64> {
    let mut ticks = tokio::time::interval(Duration::from_secs(1) / CHECKOUTS_A_SECOND);
    let mut running = JoinSet::new();
    for n in 0..(CHECKOUTS_A_SECOND * SECONDS) as usize {
        ticks.tick().await;
        let shop = Arc::clone(shop);
        running.spawn(async move {
            let asked = Instant::now();
            let call = Call::post("/api/orders", &order_of(n % SKUS)).wait_s(30);
            shop.client.send(call).await?.success("a checkout")?;
            anyhow::Ok(asked.elapsed().as_secs_f64() * 1e3)
        });
    }
    let mut took = Vec::new();
    while let Some(ended) = running.join_next().await {
        took.push(ended.context("a client panicked")??);
    }
    took.sort_by(f64::total_cmp);
    Ok(took[took.len() * 99 / 100])
}
