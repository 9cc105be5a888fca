//! Places of a gateway's upstream: the share of each client address, and the room for responses that clients
//! do not read.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{Request, Response};
use axum::routing::{get, post};
use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use http_body_util::BodyExt as _;
use souk_eventsourcing::testkit::Noon;
use souk_gateway::proxy::{self, Upstream, UpstreamLimits, UpstreamState, Upstreams};
use souk_gateway::{BodyHandling, Edge, Limits, MemoryBudgets, MemoryLimits, TrustedProxies, edge};
use souk_http::PublishedKeys;
use tokio::net::TcpListener;
use tower::ServiceExt as _;

mod routes;

/// Maximum number of concurrent requests to the upstream.
const PLACES: usize = 20;
/// Number of requests of an attack: more than there are places.
const ATTACKS: usize = 2 * PLACES;
/// Size of a response that fits into the room for waiting bytes.
const SMALL: usize = 20 * 1024;
/// Size of a response that does not fit into that room.
const LARGE: usize = 8 * 1024 * 1024;
/// Room for response bytes that wait for clients.
const UNREAD: usize = 4 * 1024 * 1024;

const ADA: &str = "192.0.2.7";
const BOB: &str = "198.51.100.1";

struct Gateway {
    router: Router,
    queries: Arc<Upstream>,
}

/// Starts a gateway in front of an upstream. The upstream sends a small response for `/docs`, a large one for
/// `/openapi.json`, none for products, and one at once for a POST.
async fn gateway(shares: usize) -> Gateway {
    let upstream = Router::new()
        .route("/docs", get(|| async { Bytes::from(vec![b'd'; SMALL]) }))
        .route("/openapi.json", get(|| async { Bytes::from(vec![b'o'; LARGE]) }))
        .route("/api/products", get(std::future::pending::<String>))
        .route("/api/cart/items", post(|body: Bytes| async move { body.len().to_string() }));
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, upstream).await });
    let limits = UpstreamLimits {
        requests_max: PLACES,
        unread_bytes_max: UNREAD,
        shares,
        ..UpstreamLimits::default()
    };
    let upstream = |name| Upstream::new(name, &address, limits).unwrap();
    let commands = upstream("commands");
    let queries = upstream("queries");
    let proxies = Arc::new(TrustedProxies::default());
    let upstreams = Upstreams { commands, queries: queries.clone(), proxies: proxies.clone() };
    let settings = Edge {
        routes: routes::table(),
        tokens: Arc::new(PublishedKeys::default()),
        ended_sessions: Arc::default(),
        clock: Arc::new(Noon),
        limits: Arc::new(Limits::off()),
        proxies,
        bodies: BodyHandling::Forwarded,
        // The budget of the process is large enough for responses of 8 MiB, because the tests are about
        // places.
        memory: Arc::new(MemoryBudgets::new(MemoryLimits {
            responses_bytes_max: 1 << 30,
            ..MemoryLimits::default()
        })),
    };
    let router = proxy::router(&upstreams, &settings.routes);
    Gateway { router: edge(router, settings), queries }
}

impl Gateway {
    /// Sends a request and waits for the head of the response. The body stays unread.
    async fn send(&self, client: &str, mut request: Request<Body>) -> Response<Body> {
        request.headers_mut().insert("x-api-version", "v1".parse().unwrap());
        let client: IpAddr = client.parse().unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from((client, 9))));
        self.router.clone().oneshot(request).await.unwrap()
    }

    async fn get(&self, client: &str, path: &str) -> Response<Body> {
        self.send(client, Request::get(path).body(Body::empty()).unwrap()).await
    }

    async fn post(&self, client: &str, body: Body) -> Response<Body> {
        let request = Request::post("/api/cart/items").header("content-type", "application/json");
        self.send(client, request.body(body).unwrap()).await
    }

    /// Sends requests for products, which get no response.
    fn hang(&self, client: &'static str, count: usize) -> Vec<tokio::task::JoinHandle<u16>> {
        let hangs = (0..count).map(|_| {
            let gateway = Self { router: self.router.clone(), queries: self.queries.clone() };
            tokio::spawn(async move { gateway.get(client, "/api/products").await.status().as_u16() })
        });
        hangs.collect()
    }
}

async fn read(response: Response<Body>) -> Option<usize> {
    response.into_body().collect().await.ok().map(|body| body.to_bytes().len())
}

/// Returns a body of one byte that never ends.
fn endless() -> Body {
    let byte = stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"{"))]);
    Body::from_stream(byte.chain(stream::pending()))
}

#[tokio::test]
async fn incomplete_bodies_occupy_no_places() {
    let gateway = gateway(1).await;
    let attack = join_all((0..ATTACKS).map(|_| gateway.post(ADA, endless())));
    let buyer = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        gateway.post(BOB, Body::from("{}")).await.status().as_u16()
    };
    tokio::select! {
        _ = attack => panic!("a request with an incomplete body must have no response yet"),
        status = buyer => assert_eq!(status, 200),
    }
}

#[tokio::test]
async fn small_unread_responses_occupy_no_places() {
    let gateway = gateway(1).await;
    let unread = join_all((0..ATTACKS).map(|_| gateway.get(ADA, "/docs"))).await;
    assert!(unread.iter().all(|response| response.status().as_u16() == 200));
    let started = Instant::now();
    assert_eq!(read(gateway.get(BOB, "/docs").await).await, Some(SMALL));
    assert!(
        started.elapsed() < Duration::from_millis(400),
        "the request had to wait: {:?}",
        started.elapsed()
    );
    for response in unread {
        assert_eq!(read(response).await, Some(SMALL), "a response that is read late is complete");
    }
}

#[tokio::test]
async fn large_unread_responses_are_cut_off_when_places_run_short() {
    let gateway = gateway(1).await;
    let unread = join_all((0..PLACES).map(|_| gateway.get(ADA, "/openapi.json"))).await;
    for _ in 0..3 {
        assert_eq!(read(gateway.get(BOB, "/docs").await).await, Some(SMALL));
    }
    assert_eq!(
        gateway.queries.state(),
        UpstreamState::Closed,
        "a client that does not read is not a failure of the upstream"
    );
    let read = join_all(unread.into_iter().map(read)).await;
    let cut = read.iter().filter(|length| length.is_none()).count();
    assert!((1..=3).contains(&cut), "{cut} responses were cut off for three requests");
    assert!(read.iter().flatten().all(|length| *length == LARGE));
}

#[tokio::test]
async fn large_responses_that_are_read_are_complete() {
    let gateway = gateway(1).await;
    let reads = stream::iter(0..40).map(async |_| read(gateway.get(ADA, "/openapi.json").await).await);
    let lengths: Vec<Option<usize>> = reads.buffer_unordered(PLACES).collect().await;
    assert!(lengths.iter().all(|length| *length == Some(LARGE)), "{lengths:?}");
}

// Proves: edge.fair-shares
#[tokio::test]
async fn one_address_can_use_only_its_part_of_the_places() {
    for (client, neighbour) in [(ADA, ADA), ("2001:db8::1", "2001:db8::ffff")] {
        let gateway = gateway(4).await;
        let hanging = gateway.hang(client, PLACES / 4);
        tokio::time::sleep(Duration::from_millis(100)).await;
        let refused = gateway.get(neighbour, "/docs").await;
        assert_eq!(refused.status().as_u16(), 429, "{neighbour}");
        assert!(refused.headers().contains_key("retry-after"));
        let problem = refused.into_body().collect().await.unwrap().to_bytes();
        assert!(String::from_utf8_lossy(&problem).contains("5 requests at once from one client address"));
        assert_eq!(
            gateway.get(BOB, "/docs").await.status().as_u16(),
            200,
            "another address has its own part"
        );
        hanging.iter().for_each(tokio::task::JoinHandle::abort);
        for task in hanging {
            assert!(task.await.unwrap_err().is_cancelled());
        }
        assert_eq!(gateway.get(neighbour, "/docs").await.status().as_u16(), 200, "the places are free again");
    }
}

#[tokio::test]
async fn unread_responses_are_dropped_after_a_minute() {
    let gateway = gateway(1).await;
    let unread = gateway.get(ADA, "/docs").await;
    let is_free = async {
        while gateway.queries.unread_bytes() == 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_free).await.unwrap();
    tokio::time::pause();
    tokio::time::sleep(Duration::from_secs(61)).await;
    assert_eq!(gateway.queries.unread_bytes(), 0);
    assert_eq!(read(unread).await, None);
}

#[tokio::test]
async fn bytes_that_wait_for_clients_have_a_limit_per_address() {
    let gateway = gateway(2).await;
    let unread = join_all((0..PLACES / 2).map(|_| gateway.get(ADA, "/openapi.json"))).await;
    tokio::time::sleep(Duration::from_millis(300)).await;
    let waiting = gateway.queries.unread_bytes();
    assert!((UNREAD / 4..=UNREAD / 2).contains(&waiting), "{waiting} bytes wait for one address");
    drop(unread);
    let is_free = async {
        while gateway.queries.unread_bytes() > 0 {
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(10), is_free).await.unwrap();
}
