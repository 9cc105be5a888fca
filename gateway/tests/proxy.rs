//! A gateway in front of processes that hang, drip, reset, fail and come back: real sockets, told what to do.

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
use souk_gateway::proxy::{self, Patience, Upstream, UpstreamState, Upstreams};
use souk_gateway::{Bodies, Edge, Limits, TrustedProxies, edge};
use souk_http::PublishedKeys;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

/// How long an upstream is left alone, and how long it may take: short, so that the tests are.
const OPEN_FOR: Duration = Duration::from_millis(300);
const ANSWER_MAX: Duration = Duration::from_millis(400);
/// Requests of a long run, and how many of them at once.
const ASKED: u32 = 1_000;
const AT_ONCE: usize = 10;
/// Requests it may have at once.
const PLACES: u32 = 20;

/// What an upstream does with a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Answers,
    Hangs,
    Drips,
    Resets,
    Fails,
    Rambles,
    /// Resets the first connections, then answers.
    ResetsFirst(u32),
    /// Resets every third connection.
    ResetsSome,
    /// Breaks off in the middle of an answer.
    BreaksOff,
}

/// A process that is told what to do.
struct Scripted {
    address: SocketAddr,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicU32>,
    heads: Arc<Mutex<Vec<String>>>,
}

impl Scripted {
    async fn start(mood: Mood) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (mood, asked) = (Arc::new(Mutex::new(mood)), Arc::new(AtomicU32::new(0)));
        let heads = Arc::new(Mutex::new(Vec::new()));
        let scripted = Self { address, mood: mood.clone(), asked: asked.clone(), heads: heads.clone() };
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                tokio::spawn(act(stream, mood.clone(), asked.clone(), heads.clone()));
            }
        });
        scripted
    }

    fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    fn asked(&self) -> u32 {
        self.asked.load(Ordering::Relaxed)
    }
}

async fn act(
    mut stream: TcpStream,
    mood: Arc<Mutex<Mood>>,
    asked: Arc<AtomicU32>,
    heads: Arc<Mutex<Vec<String>>>,
) {
    let Some((head, body)) = request(&mut stream).await else { return };
    heads.lock().unwrap().push(head);
    let number = asked.fetch_add(1, Ordering::Relaxed);
    let mood = *mood.lock().unwrap();
    let answer = |status: &str, kind: &str, text: &str| {
        let length = text.len();
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nConnection: close, X-Hop\r\nX-Hop: 1\r\n\
             Access-Control-Allow-Origin: *\r\nContent-Length: {length}\r\n\r\n{text}"
        )
    };
    let text = match mood {
        Mood::Answers => answer("200 OK", "text/plain", &format!("{} bytes", body.len())),
        Mood::ResetsSome if !number.is_multiple_of(3) => answer("200 OK", "text/plain", "this time"),
        Mood::ResetsFirst(times) if number >= times => answer("200 OK", "text/plain", "at last"),
        Mood::Fails => {
            answer("500 Internal Server Error", "application/problem+json", "{\"code\":\"internal\"}")
        }
        Mood::Rambles => answer("502 Bad Gateway", "text/html", "<html>nginx</html>"),
        Mood::BreaksOff => "HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf".to_owned(),
        Mood::Hangs => return tokio::time::sleep(Duration::from_secs(60)).await,
        Mood::Drips => {
            let _ = stream.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n").await;
            while stream.write_all(b".").await.is_ok() {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
            return;
        }
        Mood::Resets | Mood::ResetsFirst(_) | Mood::ResetsSome => {
            // Closed with a reset instead of an end.
            stream.set_zero_linger().unwrap();
            return;
        }
    };
    // Whoever has gone needs no answer.
    let _ = stream.write_all(text.as_bytes()).await;
}

/// A head, and the body behind it as its length or its chunks say.
async fn request(stream: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut buffer = vec![0; 16 * 1024];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).ok()?.to_lowercase();
            let length: Option<usize> =
                head.lines().find_map(|line| line.strip_prefix("content-length: ")?.parse().ok());
            let is_whole = match length {
                Some(length) => bytes.len() >= end + 4 + length,
                None => !head.contains("chunked") || bytes.ends_with(b"0\r\n\r\n"),
            };
            if is_whole {
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
    let patience = Patience {
        answer_max: ANSWER_MAX,
        open_for: OPEN_FOR,
        at_once_max: PLACES as usize,
        parts: 1,
        ..Patience::default()
    };
    let upstream =
        |name, of: &Scripted| Upstream::new(name, &format!("http://{}", of.address), patience).unwrap();
    let (commands, queries) = (upstream("commands", commands), upstream("queries", queries));
    let proxies = Arc::new(TrustedProxies::default());
    let upstreams =
        Upstreams { commands: commands.clone(), queries: queries.clone(), proxies: proxies.clone() };
    let settings = Edge {
        tokens: Arc::new(PublishedKeys::default()),
        denials: Arc::default(),
        clock: Arc::new(Noon),
        limits: Arc::new(Limits::off()),
        proxies,
        bodies: Bodies::PassedOn,
        room: Arc::default(),
    };
    Gateway { router: edge(proxy::router(&upstreams), settings), commands, queries }
}

/// Status, headers and body; none when the body breaks off.
type Answered = (StatusCode, HeaderMap, Option<String>);

impl Gateway {
    async fn send(&self, mut request: Request<Body>) -> Answered {
        request.headers_mut().insert("x-api-version", "v1".parse().unwrap());
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 9))));
        let (parts, body) = self.router.clone().oneshot(request).await.unwrap().into_parts();
        let body = body.collect().await.ok();
        let text = body.map(|body| String::from_utf8(body.to_bytes().to_vec()).unwrap());
        (parts.status, parts.headers, text)
    }

    async fn get(&self) -> Answered {
        self.send(Request::get("/api/products").body(Body::empty()).unwrap()).await
    }

    async fn post(&self, body: impl Into<Body>, key: Option<&str>) -> Answered {
        let mut request = Request::post("/api/cart/items").header("content-type", "application/json");
        if let Some(key) = key {
            request = request.header("idempotency-key", key);
        }
        self.send(request.body(body.into()).unwrap()).await
    }
}

async fn both(mood: Mood) -> (Gateway, Scripted, Scripted) {
    let (commands, queries) = (Scripted::start(mood).await, Scripted::start(mood).await);
    (gateway(&commands, &queries), commands, queries)
}

fn is_unavailable((status, headers, text): &Answered, upstream: &str) {
    let text = text.as_ref().unwrap();
    assert_eq!(status.as_u16(), 503, "{text}");
    assert!(text.contains("upstream-unavailable") && text.contains(&format!("`{upstream}`")), "{text}");
    assert!(headers.contains_key("retry-after") && headers.contains_key("x-correlation-id"));
}

#[tokio::test]
async fn reads_and_writes_go_their_ways_and_say_for_whom() {
    let (gateway, commands, queries) = both(Mood::Answers).await;
    let (status, headers, text) = gateway.get().await;
    assert_eq!((status.as_u16(), text.as_deref()), (200, Some("0 bytes")));
    for gone in ["x-hop", "access-control-allow-origin"] {
        assert!(!headers.contains_key(gone), "{gone}");
    }
    assert_eq!(gateway.post("{}", None).await.2.unwrap(), "2 bytes");
    assert_eq!((queries.asked(), commands.asked()), (1, 1));
    let head = queries.heads.lock().unwrap()[0].clone();
    for said in
        ["get /api/products http/1.1", "x-forwarded-for: 192.0.2.7", "traceparent: 00-", "x-correlation-id: "]
    {
        assert!(head.contains(said), "{said}: {head}");
    }
}

#[tokio::test]
async fn an_upstream_is_told_of_a_client_that_is_not_known() {
    let (gateway, _, queries) = both(Mood::Answers).await;
    let mut request = Request::get("/api/products").header("x-forwarded-for", "192.0.2.1");
    request = request.header("x-api-version", "v1");
    let mut request = request.body(Body::empty()).unwrap();
    request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))));
    assert_eq!(gateway.router.clone().oneshot(request).await.unwrap().status().as_u16(), 200);
    let head = queries.heads.lock().unwrap()[0].clone();
    assert!(head.contains("x-forwarded-for: unknown"), "{head}");
}

#[tokio::test]
async fn what_the_table_forbids_never_gets_there() {
    let (gateway, commands, queries) = both(Mood::Answers).await;
    let asked =
        |method: &str, path: &str| Request::builder().method(method).uri(path).body(Body::empty()).unwrap();
    for (method, path, status) in [
        ("GET", "/api/orders", 401),
        ("POST", "/api/orders", 401),
        ("PATCH", "/api/products", 405),
        ("GET", "/api/nowhere", 404),
        ("POST", "/internal/release-gate/callbacks", 404),
        ("GET", "/metrics", 404),
        // Another spelling of the same path is another path.
        ("GET", "/api/products/../admin/parked", 404),
        ("GET", "/api/products/%2e%2e/admin/parked", 404),
    ] {
        let answered = gateway.send(asked(method, path)).await;
        assert_eq!(answered.0.as_u16(), status, "{method} {path}: {:?}", answered.2);
    }
    assert_eq!((queries.asked(), commands.asked()), (0, 0));
}

#[tokio::test]
async fn bodies_go_on_whole_and_have_their_limit() {
    let (gateway, commands, _) = both(Mood::Answers).await;
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
    // None of that is the upstream's fault.
    for _ in 0..20 {
        gateway.post(chunks(20), None).await;
    }
    assert_eq!(gateway.commands.state(), UpstreamState::Closed);
}

#[tokio::test]
async fn an_upstream_that_hangs_or_drips_is_given_its_time() {
    for mood in [Mood::Hangs, Mood::Drips] {
        let (gateway, _, queries) = both(mood).await;
        let asked = std::time::Instant::now();
        let answered = gateway.get().await;
        assert!(asked.elapsed() >= ANSWER_MAX, "{mood:?}");
        match mood {
            Mood::Hangs => is_unavailable(&answered, "queries"),
            _ => assert!(answered.2.is_none(), "a body that breaks off is no body"),
        }
        // What got its time is not asked again.
        assert_eq!(queries.asked(), 1, "{mood:?}");
        let asks = (0..15).map(|_| gateway.get());
        futures_util::future::join_all(asks).await;
        let is_left_alone = async {
            while gateway.queries.state() != UpstreamState::Open {
                tokio::task::yield_now().await;
            }
        };
        let in_time = tokio::time::timeout(Duration::from_secs(30), is_left_alone).await;
        assert!(in_time.is_ok(), "{mood:?}: {:?}", gateway.queries.state());
        let (before, answered) = (queries.asked(), gateway.get().await);
        is_unavailable(&answered, "queries");
        assert_eq!(queries.asked(), before, "{mood:?}: one that is left alone is not asked");
    }
}

#[tokio::test]
async fn what_fails_too_often_is_left_alone_and_tried_again() {
    for mood in [Mood::Resets, Mood::Fails, Mood::Rambles, Mood::BreaksOff] {
        let (gateway, commands, queries) = both(mood).await;
        for _ in 0..40 {
            let answered = gateway.get().await;
            match (mood, answered.0.as_u16()) {
                (Mood::Fails, 500) | (Mood::BreaksOff, 200) => {}
                _ => is_unavailable(&answered, "queries"),
            }
            tokio::task::yield_now().await;
        }
        assert_eq!(gateway.queries.state(), UpstreamState::Open, "{mood:?}");
        // The other one is not touched by it.
        commands.is(Mood::Answers);
        assert_eq!(gateway.post("{}", None).await.0.as_u16(), 200);
        // A probe that fails opens the circuit again; one that doesn't closes it.
        tokio::time::sleep(OPEN_FOR).await;
        gateway.get().await;
        queries.is(Mood::Answers);
        let is_back = async {
            while gateway.get().await.0.as_u16() != 200 || gateway.queries.state() != UpstreamState::Closed {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), is_back).await.unwrap();
    }
}

#[tokio::test]
async fn only_what_may_be_repeated_is_sent_again() {
    for (method, key, expected, asked) in
        [("GET", None, 200, 2), ("POST", Some("k1"), 200, 2), ("POST", None, 503, 1)]
    {
        let (gateway, commands, queries) = both(Mood::ResetsFirst(1)).await;
        let answered = if method == "GET" { gateway.get().await } else { gateway.post("{}", key).await };
        assert_eq!(answered.0.as_u16(), expected, "{method} {key:?}");
        assert_eq!(queries.asked() + commands.asked(), asked, "{method} {key:?}");
    }
    // A sign-in is another each time: a key says nothing of it.
    let (gateway, commands, _) = both(Mood::ResetsFirst(1)).await;
    let login =
        Request::post("/api/auth/login").header("idempotency-key", "k1").body(Body::from("{}")).unwrap();
    assert_eq!(gateway.send(login).await.0.as_u16(), 503);
    assert_eq!(commands.asked(), 1);
}

#[tokio::test]
async fn a_process_in_trouble_is_not_given_much_more_to_do() {
    let (gateway, _, queries) = both(Mood::Resets).await;
    let mut asked = 0;
    while gateway.queries.state() == UpstreamState::Closed && asked < 100 {
        gateway.get().await;
        asked += 1;
    }
    // It is left alone after some ten sendings, not after a hundred requests.
    assert!(asked <= 10 && queries.asked() <= 12, "{} of {asked}", queries.asked());
}

#[tokio::test]
async fn repeats_come_out_of_a_budget() {
    let (gateway, _, queries) = both(Mood::ResetsSome).await;
    let began = std::time::Instant::now();
    let asks = stream::iter(0..ASKED).map(|_| gateway.get());
    asks.buffer_unordered(AT_ONCE).collect::<Vec<_>>().await;
    // A fifth of what is asked and five a second, ten seconds of which are there at once; the library counts by
    // slots of a second, so a little more. Without a budget it would be half: each third sending is reset, and
    // so is each third of those again.
    let allowed = (f64::from(ASKED) * 1.2 + 5.0 * (10.0 + began.elapsed().as_secs_f64())) * 1.05;
    let asked = f64::from(queries.asked());
    assert!(asked > f64::from(ASKED) * 1.1 && asked <= allowed, "{asked} of {allowed}");
    assert_eq!(gateway.queries.state(), UpstreamState::Closed);
}

#[tokio::test]
async fn a_write_whose_body_has_come_and_is_not_answered_is_the_upstreams_affair() {
    let (gateway, commands, _) = both(Mood::Hangs).await;
    is_unavailable(&gateway.post("{}", None).await, "commands");
    assert_eq!(commands.asked(), 1);
}

#[tokio::test]
async fn one_upstream_that_hangs_takes_no_more_than_its_places() {
    let (gateway, commands, queries) = both(Mood::Hangs).await;
    commands.is(Mood::Answers);
    let waiting = futures_util::future::join_all((0..60).map(|_| gateway.get()));
    let meanwhile = async {
        tokio::time::sleep(Duration::from_millis(100)).await;
        gateway.post("{}", None).await.0.as_u16()
    };
    let (answered, written) = tokio::join!(waiting, meanwhile);
    assert_eq!(written, 200);
    for answer in &answered {
        is_unavailable(answer, "queries");
    }
    // A place that failed is given on until ten have, then it is left alone: those behind were not sent.
    assert!((PLACES..PLACES + 10).contains(&queries.asked()), "{}", queries.asked());
}

#[tokio::test]
async fn addresses_that_are_none_are_refused() {
    for address in ["", "here", "10.0.0.5:8080", "http://x/path", "http://user:secret@x", "http://x/?a"] {
        assert!(Upstream::new("commands", address, Patience::default()).is_err(), "{address}");
    }
}

#[tokio::test(start_paused = true)]
async fn whoever_sends_slowly_is_told_so_and_the_upstream_is_not_blamed() {
    let (gateway, commands, _) = both(Mood::Answers).await;
    let slow = || {
        let chunks = stream::unfold((), |()| async {
            tokio::time::sleep(Duration::from_millis(50)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from_static(b" ")), ()))
        });
        Body::from_stream(chunks)
    };
    let answered = futures_util::future::join_all((0..15).map(|_| gateway.post(slow(), None))).await;
    for (status, _, text) in answered {
        assert!(status.as_u16() == 408 && text.as_ref().unwrap().contains("request-timeout"), "{text:?}");
    }
    assert_eq!((gateway.commands.state(), commands.asked()), (UpstreamState::Closed, 0));
}

#[tokio::test]
async fn an_upstream_that_drips_is_blamed_also_when_nobody_reads() {
    let (gateway, _, queries) = both(Mood::Drips).await;
    let ask = || {
        let mut request =
            Request::get("/api/products").header("x-api-version", "v1").body(Body::empty()).unwrap();
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([192, 0, 2, 7], 9))));
        gateway.router.clone().oneshot(request)
    };
    // Their heads have come, and nobody asks for more.
    let unread = futures_util::future::join_all((0..PLACES).map(|_| ask())).await;
    assert_eq!(queries.asked(), PLACES);
    let is_left_alone = async {
        while gateway.queries.state() != UpstreamState::Open {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), is_left_alone).await.unwrap();
    drop(unread);
}
