//! A gateway in front of scripted upstreams that hang, drip, reset connections, fail and recover, over real
//! sockets.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request, StatusCode};
use futures_util::stream::{self, StreamExt as _};
use http_body_util::BodyExt as _;
use souk_eventsourcing::testkit::Noon;
use souk_gateway::proxy::{self, Upstream, UpstreamLimits, UpstreamState, Upstreams};
use souk_gateway::{BodyHandling, Edge, Limits, TrustedProxies, edge};
use souk_http::PublishedKeys;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

mod routes;

/// Time for which an open circuit breaker sends no requests. It is short, to keep the tests fast.
const OPEN_FOR: Duration = Duration::from_millis(300);
/// Timeout of a response.
const RESPONSE_TIME_MAX: Duration = Duration::from_millis(400);
/// Number of requests of a long run.
const REQUESTS: u32 = 1_000;
/// Number of concurrent requests of a long run.
const CONCURRENT: usize = 10;
/// Maximum number of concurrent requests to an upstream.
const PLACES: u32 = 20;

/// Behaviour of a scripted upstream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Behaviour {
    /// Responds at once.
    Responds,
    /// Never responds.
    Hangs,
    /// Sends the body one byte at a time.
    Drips,
    /// Resets every connection.
    Resets,
    /// Responds with 500 and a problem document.
    Fails,
    /// Responds with 502 and an HTML page, like a proxy.
    SendsHtml,
    /// Resets this number of connections, then responds.
    ResetsFirst(u32),
    /// Resets every third connection.
    ResetsEveryThird,
    /// Closes the connection in the middle of a response.
    BreaksOff,
}

/// A scripted upstream.
struct Scripted {
    address: SocketAddr,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<AtomicU32>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn start(behaviour: Behaviour) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let behaviour = Arc::new(Mutex::new(behaviour));
        let requests = Arc::new(AtomicU32::new(0));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let scripted =
            Self { address, behaviour: behaviour.clone(), requests: requests.clone(), heads: heads.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(act(stream, behaviour.clone(), requests.clone(), heads.clone()));
            }
        });
        scripted
    }

    fn set(&self, behaviour: Behaviour) {
        *self.behaviour.lock().unwrap() = behaviour;
    }

    /// Returns the number of requests that have arrived.
    fn requests(&self) -> u32 {
        self.requests.load(Ordering::Relaxed)
    }
}

async fn act(
    mut stream: TcpStream,
    behaviour: Arc<Mutex<Behaviour>>,
    requests: Arc<AtomicU32>,
    heads: Arc<Mutex<Vec<String>>>,
) {
    let Some((head, body)) = read_request(&mut stream).await else { return };
    heads.lock().unwrap().push(head);
    let number = requests.fetch_add(1, Ordering::Relaxed);
    let behaviour = *behaviour.lock().unwrap();
    let response = |status: &str, kind: &str, text: &str| {
        let length = text.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\
             Access-Control-Allow-Origin: *\r\nContent-Length: {length}\r\n\r\n{text}"
        )
    };
    let text = match behaviour {
        Behaviour::Responds => response("200 OK", "text/plain", &format!("{} bytes", body.len())),
        Behaviour::ResetsEveryThird if !number.is_multiple_of(3) => {
            response("200 OK", "text/plain", "this time")
        }
        Behaviour::ResetsFirst(times) if number >= times => response("200 OK", "text/plain", "at last"),
        Behaviour::Fails => {
            response("500 Internal Server Error", "application/problem+json", "{\"code\":\"internal\"}")
        }
        Behaviour::SendsHtml => response("502 Bad Gateway", "text/html", "<html>nginx</html>"),
        Behaviour::BreaksOff => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned(),
        Behaviour::Hangs => return tokio::time::sleep(Duration::from_secs(60)).await,
        Behaviour::Drips => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
            while stream.write_all(b".").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            return;
        }
        Behaviour::Resets | Behaviour::ResetsFirst(_) | Behaviour::ResetsEveryThird => {
            // A linger time of zero resets the connection when it is dropped, instead of closing it.
            stream.set_zero_linger().unwrap();
            return;
        }
    };
    // The result is ignored, because the gateway may have closed the connection.
    let _ = stream.write_all(text.as_bytes()).await;
}

/// Reads a request. Returns its head in lower case, and its body.
async fn read_request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?.to_lowercase();
            let length: Option<usize> =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let is_complete = match length {
                Some(length) => bytes.len() >= end + 4 + length,
                None => !head.contains("chunked") || bytes.ends_with(b"0\r\n\r\n"),
            };
            if is_complete {
                return Some((head, bytes[end + 4..].to_vec()));
            }
        }
        let read = stream.read(&mut buffer).await.ok().filter(|read| *read > 0)?;
        bytes.extend_from_slice(&buffer[..read]);
    }
}

struct Gateway {
    router: Router,
    commands: Arc<Upstream>,
    queries: Arc<Upstream>,
}

fn gateway(commands: &Scripted, queries: &Scripted) -> Gateway {
    let limits = UpstreamLimits {
        response_time_max: RESPONSE_TIME_MAX,
        open_for: OPEN_FOR,
        requests_max: PLACES as usize,
        shares: 1,
        ..UpstreamLimits::default()
    };
    let upstream =
        |name, of: &Scripted| Upstream::new(name, &format!("http://{}", of.address), limits).unwrap();
    let commands = upstream("commands", commands);
    let queries = upstream("queries", queries);
    let proxies = Arc::new(TrustedProxies::default());
    let upstreams =
        Upstreams { commands: commands.clone(), queries: queries.clone(), proxies: proxies.clone() };
    let settings = Edge {
        routes: routes::table(),
        tokens: Arc::new(PublishedKeys::default()),
        ended_sessions: Arc::default(),
        clock: Arc::new(Noon),
        limits: Arc::new(Limits::off()),
        proxies,
        bodies: BodyHandling::Forwarded,
        memory: Arc::default(),
    };
    let router = proxy::router(&upstreams, &settings.routes);
    Gateway { router: edge(router, settings), commands, queries }
}

/// Status, headers and body of a response. The body is `None` if it was incomplete.
type Received = (StatusCode, HeaderMap, Option<String>);

impl Gateway {
    async fn send(&self, mut request: Request<Body>) -> Received {
        request.headers_mut().insert("x-api-version", "v1".parse().unwrap());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 9))));
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.ok();
        let text = body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
        (parts.status, parts.headers, text)
    }

    async fn get(&self) -> Received {
        self.send(Request::get("/api/products").body(Body::empty()).unwrap()).await
    }

    async fn post(&self, body: impl Into<Body>, key: Option<&str>) -> Received {
        let mut request = Request::post("/api/cart/items").header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.body(body.into()).unwrap()).await
    }
}

/// Starts a gateway and two upstreams with the same behaviour.
async fn gateway_and_upstreams(behaviour: Behaviour) -> (Gateway, Scripted, Scripted) {
    let commands = Scripted::start(behaviour).await;
    let queries = Scripted::start(behaviour).await;
    (gateway(&commands, &queries), commands, queries)
}

fn assert_unavailable((status, headers, text): &Received, upstream: &str) {
    let text = text.as_ref().unwrap();
    assert_eq!(status.as_u16(), 503, "{text}");
    assert!(text.contains("upstream-unavailable") && text.contains(&format!("`{upstream}`")), "{text}");
    assert!(headers.contains_key("retry-after") && headers.contains_key("x-correlation-id"));
}

#[tokio::test]
async fn reads_and_writes_go_to_their_upstreams_with_the_client_address() {
    let (gateway, commands, queries) = gateway_and_upstreams(Behaviour::Responds).await;
    let (status, headers, text) = gateway.get().await;
    assert_eq!((status.as_u16(), text.as_deref()), (200, Some("0 bytes")));
    for removed in ["x-hop", "access-control-allow-origin"] {
        assert!(!headers.contains_key(removed), "{removed}");
    }
    assert_eq!(gateway.post("{}", None).await.2.unwrap(), "2 bytes");
    assert_eq!((queries.requests(), commands.requests()), (1, 1));
    let head = queries.heads.lock().unwrap()[0].clone();
    for line in
        ["get /api/products http/1.1", "x-forwarded-for: 192.0.2.7", "traceparent: 00-", "x-correlation-id: "]
    {
        assert!(head.contains(line), "{line}: {head}");
    }
}

#[tokio::test]
async fn an_unknown_client_address_is_sent_as_unknown() {
    let (gateway, _, queries) = gateway_and_upstreams(Behaviour::Responds).await;
    let mut request = Request::get("/api/products").header("x-forwarded-for", "192.0.2.1");
    request = request.header("x-api-version", "v1");
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))));
    assert_eq!(gateway.router.clone().oneshot(request).await.unwrap().status().as_u16(), 200);
    let head = queries.heads.lock().unwrap()[0].clone();
    assert!(head.contains("x-forwarded-for: unknown"), "{head}");
}

#[tokio::test]
async fn a_request_that_the_table_refuses_never_reaches_an_upstream() {
    let (gateway, commands, queries) = gateway_and_upstreams(Behaviour::Responds).await;
    let request =
        |method: &str, path: &str| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    for (method, path, status) in [
        ("GET", "/api/orders", 401),
        ("POST", "/api/orders", 401),
        ("PATCH", "/api/products", 405),
        ("GET", "/api/nowhere", 404),
        ("POST", "/internal/release-gate/callbacks", 404),
        ("GET", "/metrics", 404),
        // Paths are compared exactly, so another spelling is another path.
        ("GET", "/api/products/../admin/parked", 404),
        ("GET", "/api/products/%2e%2e/admin/parked", 404),
    ] {
        let received = gateway.send(request(method, path)).await;
        assert_eq!(received.0.as_u16(), status, "{method} {path}: {:?}", received.2);
    }
    assert_eq!((queries.requests(), commands.requests()), (0, 0));
}

#[tokio::test]
async fn bodies_are_forwarded_complete_and_up_to_their_limit() {
    let (gateway, commands, _) = gateway_and_upstreams(Behaviour::Responds).await;
    let chunks = |count: usize| {
        let chunk = || Ok::<_, std::io::Error>(Bytes::from(vec![b'x'; 64 * 1024]));
        Body::from_stream(stream::iter((0..count).map(move |_| chunk())))
    };
    assert_eq!(gateway.post(chunks(10), None).await.0.as_u16(), 200);
    assert!(commands.heads.lock().unwrap()[0].contains("content-length: 655360"));
    let (status, _, text) = gateway.post(chunks(20), None).await;
    assert_eq!(status.as_u16(), 413, "{text:?}");
    let broken = Body::from_stream(stream::iter([Ok(Bytes::from("{")), Err(std::io::Error::other("gone"))]));
    let (status, _, text) = gateway.post(broken, None).await;
    assert!(status.as_u16() == 400 && text.unwrap().contains("malformed-body"));
    // None of these counts as a failure of the upstream.
    for _ in 0..20 {
        gateway.post(chunks(20), None).await;
    }
    assert_eq!(gateway.commands.state(), UpstreamState::Closed);
}

// Proves: edge.route-timeouts
#[tokio::test]
async fn a_request_to_an_upstream_that_hangs_or_drips_times_out() {
    for behaviour in [Behaviour::Hangs, Behaviour::Drips] {
        let (gateway, _, queries) = gateway_and_upstreams(behaviour).await;
        let started = std::time::Instant::now();
        let received = gateway.get().await;
        assert!(started.elapsed() >= RESPONSE_TIME_MAX, "{behaviour:?}");
        match behaviour {
            Behaviour::Hangs => assert_unavailable(&received, "queries"),
            _ => assert!(received.2.is_none(), "the body is incomplete"),
        }
        // A request that timed out is not sent again.
        assert_eq!(queries.requests(), 1, "{behaviour:?}");
        let reads = (0..15).map(|_| gateway.get());
        futures_util::future::join_all(reads).await;
        let until_open = async {
            while gateway.queries.state() != UpstreamState::Open {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), until_open).await;
        assert!(in_time.is_ok(), "{behaviour:?}: {:?}", gateway.queries.state());
        let before = queries.requests();
        let received = gateway.get().await;
        assert_unavailable(&received, "queries");
        assert_eq!(queries.requests(), before, "{behaviour:?}: an open circuit breaker sends no requests");
    }
}

// Proves: edge.circuit-breaker
#[tokio::test]
async fn the_circuit_breaker_opens_after_many_failures_and_closes_after_a_success() {
    for behaviour in [Behaviour::Resets, Behaviour::Fails, Behaviour::SendsHtml, Behaviour::BreaksOff] {
        let (gateway, commands, queries) = gateway_and_upstreams(behaviour).await;
        for _ in 0..40 {
            let received = gateway.get().await;
            match (behaviour, received.0.as_u16()) {
                (Behaviour::Fails, 500) | (Behaviour::BreaksOff, 200) => {}
                _ => assert_unavailable(&received, "queries"),
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(gateway.queries.state(), UpstreamState::Open, "{behaviour:?}");
        // The other upstream is not affected.
        commands.set(Behaviour::Responds);
        assert_eq!(gateway.post("{}", None).await.0.as_u16(), 200);
        // A failed test request opens the circuit breaker again. A successful one closes it.
        tokio::time::sleep(OPEN_FOR).await;
        gateway.get().await;
        queries.set(Behaviour::Responds);
        let until_closed = async {
            while gateway.get().await.0.as_u16() != 200 || gateway.queries.state() != UpstreamState::Closed {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), until_closed).await.unwrap();
    }
}

// Proves: edge.safe-retries
#[tokio::test]
async fn only_reads_and_writes_with_a_key_are_retried() {
    for (method, key, expected, requests) in
        [("GET", None, 200, 2), ("POST", Some("k1"), 200, 2), ("POST", None, 503, 1)]
    {
        let (gateway, commands, queries) = gateway_and_upstreams(Behaviour::ResetsFirst(1)).await;
        let received = if method == "GET" { gateway.get().await } else { gateway.post("{}", key).await };
        assert_eq!(received.0.as_u16(), expected, "{method} {key:?}");
        assert_eq!(queries.requests() + commands.requests(), requests, "{method} {key:?}");
    }
    // A sign-in is never retried, because its route does not support keys.
    let (gateway, commands, _) = gateway_and_upstreams(Behaviour::ResetsFirst(1)).await;
    let login =
        Request::post("/api/auth/login").header("idempotency-key", "k1").body(Body::from("{}")).unwrap();
    assert_eq!(gateway.send(login).await.0.as_u16(), 503);
    assert_eq!(commands.requests(), 1);
}

#[tokio::test]
async fn retries_do_not_overload_a_failing_upstream() {
    let (gateway, _, queries) = gateway_and_upstreams(Behaviour::Resets).await;
    let mut reads = 0;
    while gateway.queries.state() == UpstreamState::Closed && reads < 100 {
        gateway.get().await;
        reads += 1;
    }
    // The circuit breaker opens after about ten requests to the upstream.
    assert!(reads <= 10 && queries.requests() <= 12, "{} of {reads}", queries.requests());
}

#[tokio::test]
async fn retries_have_a_budget() {
    let (gateway, _, queries) = gateway_and_upstreams(Behaviour::ResetsEveryThird).await;
    let started = std::time::Instant::now();
    let reads = stream::iter(0..REQUESTS).map(|_| gateway.get());
    reads.buffer_unordered(CONCURRENT).collect::<Vec<_>>().await;
    // The budget allows one retry for every five requests, and five more retries per second. At the start,
    // the retries of ten seconds are available. The library counts in slots of a second, so a few more
    // retries are possible. Without a budget, there would be one retry for every two requests: every third
    // request is reset, and so is every third retry.
    let allowed = (f64::from(REQUESTS) * 1.2 + 5.0 * (10.0 + started.elapsed().as_secs_f64())) * 1.05;
    let sent = f64::from(queries.requests());
    assert!(sent > f64::from(REQUESTS) * 1.1 && sent <= allowed, "{sent} of {allowed}");
    assert_eq!(gateway.queries.state(), UpstreamState::Closed);
}

// Proves: edge.safe-retries
#[tokio::test]
async fn a_write_without_a_response_is_sent_only_once() {
    let (gateway, commands, _) = gateway_and_upstreams(Behaviour::Hangs).await;
    assert_unavailable(&gateway.post("{}", None).await, "commands");
    assert_eq!(commands.requests(), 1);
}

#[tokio::test]
async fn a_hanging_upstream_does_not_affect_the_other_one() {
    let (gateway, commands, queries) = gateway_and_upstreams(Behaviour::Hangs).await;
    commands.set(Behaviour::Responds);
    let waiting = futures_util::future::join_all((0..60).map(|_| gateway.get()));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        gateway.post("{}", None).await.0.as_u16()
    };
    let (received, write_status) = tokio::join!(waiting, meanwhile);
    assert_eq!(write_status, 200);
    for received in &received {
        assert_unavailable(received, "queries");
    }
    // After ten failures the circuit breaker opens, so the other waiting requests are not sent.
    assert!((PLACES..PLACES + 10).contains(&queries.requests()), "{}", queries.requests());
}

#[tokio::test]
async fn an_invalid_upstream_address_is_refused() {
    for address in ["", "here", "10.0.0.5:8080", "http://x/path", "http://user:secret@x", "http://x/?a"] {
        assert!(Upstream::new("commands", address, UpstreamLimits::default()).is_err(), "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn slow_clients_do_not_count_as_failures_of_the_upstream() {
    let (gateway, commands, _) = gateway_and_upstreams(Behaviour::Responds).await;
    let slow = || {
        let chunks = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        });
        Body::from_stream(chunks)
    };
    let received = futures_util::future::join_all((0..15).map(|_| gateway.post(slow(), None))).await;
    for (status, _, text) in received {
        assert!(status.as_u16() == 408 && text.as_ref().unwrap().contains("request-timeout"), "{text:?}");
    }
    assert_eq!((gateway.commands.state(), commands.requests()), (UpstreamState::Closed, 0));
}

#[tokio::test]
async fn a_dripping_upstream_counts_as_failed_even_if_the_client_does_not_read() {
    let (gateway, _, queries) = gateway_and_upstreams(Behaviour::Drips).await;
    let send = || {
        let mut request =
            Request::get("/api/products").header("x-api-version", "v1").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 9))));
        gateway.router.clone().oneshot(request)
    };
    // The heads have arrived, and the test reads no bodies.
    let unread = futures_util::future::join_all((0..PLACES).map(|_| send())).await;
    assert_eq!(queries.requests(), PLACES);
    let until_open = async {
        while gateway.queries.state() != UpstreamState::Open {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), until_open).await.unwrap();
    drop(unread);
}
