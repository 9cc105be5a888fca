//! Budgets that the requests of one process share: bytes of bodies, responses and heads, and places of
//! running requests.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::extract::ConnectInfo;
use axum::http::{HeaderMap, Request};
use axum::response::Response;
use axum::routing::{get, post};
use futures_util::StreamExt as _;
use http_body_util::BodyExt as _;
use serde_json::Value;
use souk_eventsourcing::testkit::Noon;
use souk_gateway::{BodyHandling, Edge, Limits, MemoryBudgets, MemoryLimits, edge};
use souk_http::Keys;
use souk_http::routes::SIGNED_BODY_BYTES_MAX;
use tokio::task::JoinHandle;
use tower::ServiceExt as _;

mod routes;

/// Time within which a request ends if it does not have to wait.
const SOON: Duration = Duration::from_millis(100);

struct Server {
    router: Router,
    _folder: tempfile::TempDir,
}

fn server(limits: MemoryLimits) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let length = |body: Bytes| async move { body.len().to_string() };
    let router = Router::new()
        .route("/api/cart/items", post(length))
        .route("/api/payments/webhook", post(length))
        .route("/api/auth/signup", post(|body: Bytes| async move { body }))
        .route("/api/auth/login", post(std::future::pending::<String>))
        .route("/api/auth/logout", post(|| async { "x".repeat(10_000) }))
        .route("/api/products", get(|| async { "x".repeat(10_000) }))
        .route("/api/products/{id}", get(|| async { streamed(40, 1_000) }))
        .route("/health/live", get(|| async { "live" }));
    let settings = Edge {
        routes: routes::table(),
        tokens: Arc::new(Keys::open(folder.path()).unwrap()),
        ended_sessions: Arc::default(),
        clock: Arc::new(Noon),
        limits: Arc::new(Limits::off()),
        proxies: Arc::default(),
        bodies: BodyHandling::ReadHere,
        memory: Arc::new(MemoryBudgets::new(limits)),
    };
    Server { router: edge(router, settings), _folder: folder }
}

fn request(client: u8, method: &str, path: &str, body: Body) -> Request<Body> {
    let peer = SocketAddr::new(IpAddr::from([192, 0, 2, client]), 7);
    let request = Request::builder().method(method).uri(path).header("x-api-version", "v1");
    request.extension(ConnectInfo(peer)).body(body).unwrap()
}

/// Returns a body that sends one piece and then neither sends more nor ends.
fn endless(bytes: usize) -> Body {
    let piece =
        futures_util::stream::once(async move { Ok::<_, Infallible>(Bytes::from(vec![b' '; bytes])) });
    Body::from_stream(piece.chain(futures_util::stream::pending()))
}

/// Returns a streamed body of unknown length.
fn streamed(pieces: usize, bytes: usize) -> Body {
    let pieces = (0..pieces).map(move |_| Ok::<_, Infallible>(Bytes::from(vec![b' '; bytes])));
    Body::from_stream(futures_util::stream::iter(pieces))
}

impl Server {
    async fn send(&self, request: Request<Body>) -> Response {
        self.router.clone().oneshot(request).await.unwrap()
    }

    /// Sends a request in a task of its own.
    fn begin(&self, request: Request<Body>) -> JoinHandle<Response> {
        let router = self.router.clone();
        tokio::spawn(async move { router.oneshot(request).await.unwrap() })
    }
}

/// Returns status, headers and code of a problem.
async fn problem(response: Response) -> (u16, HeaderMap, String) {
    let (parts, body) = response.into_parts();
    let body = body.collect().await.unwrap().to_bytes();
    let document: Value = serde_json::from_slice(&body).unwrap_or_default();
    (parts.status.as_u16(), parts.headers, document["code"].as_str().unwrap_or_default().to_owned())
}

// Proves: edge.fair-shares
#[tokio::test(start_paused = true)]
async fn slow_bodies_share_one_budget_and_leave_room_for_other_clients() {
    let server = server(MemoryLimits { bodies_bytes_max: 64 * 1024, ..MemoryLimits::default() });
    let bodies: Vec<_> =
        (0..9).map(|_| server.begin(request(1, "POST", "/api/cart/items", endless(8 * 1024)))).collect();
    tokio::time::sleep(SOON).await;
    let refused: Vec<_> = bodies.into_iter().filter(JoinHandle::is_finished).collect();
    assert_eq!(refused.len(), 5, "four bodies of 8 KiB are half of 64 KiB");
    for response in refused {
        let (status, headers, code) = problem(response.await.unwrap()).await;
        assert_eq!(
            (status, code.as_str(), headers["retry-after"].as_bytes()),
            (503, "overloaded", &b"1"[..])
        );
    }
    let other = request(2, "POST", "/api/cart/items", Body::from(vec![b' '; 8 * 1024]));
    assert_eq!(server.send(other).await.status(), 200);
    // The slow bodies reach their timeout and no longer use the budget.
    tokio::time::sleep(Duration::from_secs(30)).await;
    let again = request(1, "POST", "/api/cart/items", Body::from(vec![b' '; 32 * 1024]));
    assert_eq!(server.send(again).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn a_route_that_takes_no_body_refuses_a_body_before_it_arrives() {
    let server = server(MemoryLimits::default());
    for body in [Body::from("x"), endless(1)] {
        let response = tokio::time::timeout(SOON, server.send(request(1, "GET", "/health/live", body))).await;
        let (status, _, code) = problem(response.expect("the response does not wait for the body")).await;
        assert_eq!((status, code.as_str()), (400, "body-not-allowed"));
    }
    let nothing = Body::from_stream(futures_util::stream::empty::<Result<Bytes, Infallible>>());
    assert_eq!(server.send(request(1, "GET", "/health/live", nothing)).await.status(), 200);
    let nowhere =
        tokio::time::timeout(SOON, server.send(request(1, "POST", "/api/nowhere", endless(1)))).await;
    assert_eq!(nowhere.expect("no body is read without a route").status(), 404);
}

#[tokio::test]
async fn a_large_webhook_is_refused() {
    let server = server(MemoryLimits::default());
    let webhook = |bytes: usize| request(1, "POST", "/api/payments/webhook", Body::from(vec![b' '; bytes]));
    assert_eq!(server.send(webhook(SIGNED_BODY_BYTES_MAX)).await.status(), 200);
    let (status, _, code) = problem(server.send(webhook(SIGNED_BODY_BYTES_MAX + 1)).await).await;
    assert_eq!((status, code.as_str()), (413, "body-too-large"));
}

#[tokio::test]
async fn unread_responses_share_one_budget_and_responses_to_writes_are_never_refused() {
    let server = server(MemoryLimits { responses_bytes_max: 80_000, ..MemoryLimits::default() });
    let read = |client: u8| request(client, "GET", "/api/products", Body::empty());
    let mut unread = Vec::new();
    for _ in 0..4 {
        let response = server.send(read(1)).await;
        assert_eq!(response.status(), 200);
        unread.push(response);
    }
    let (status, headers, code) = problem(server.send(read(1)).await).await;
    assert_eq!((status, code.as_str(), headers["retry-after"].as_bytes()), (503, "overloaded", &b"1"[..]));
    assert_eq!(server.send(read(2)).await.status(), 200);
    let write = request(1, "POST", "/api/auth/logout", Body::empty());
    assert_eq!(server.send(write).await.status(), 200, "the write was done, so its response is sent");
    // The bytes of a response use the budget until they are dropped.
    let taken = unread.pop().unwrap().into_body().collect().await.unwrap().to_bytes();
    assert_eq!(server.send(read(1)).await.status(), 503);
    drop(taken);
    assert_eq!(server.send(read(1)).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn running_requests_share_places_even_on_routes_without_a_rate_limit() {
    let server = server(MemoryLimits { requests_max: 8, ..MemoryLimits::default() });
    let pending: Vec<_> =
        (0..5).map(|_| server.begin(request(1, "POST", "/api/auth/login", Body::empty()))).collect();
    tokio::time::sleep(SOON).await;
    assert_eq!(pending.iter().filter(|pending| pending.is_finished()).count(), 1);
    for route in ["/health/live", "/api/products"] {
        let (status, _, code) = problem(server.send(request(1, "GET", route, Body::empty())).await).await;
        assert_eq!((status, code.as_str()), (503, "overloaded"), "{route}");
        assert_eq!(server.send(request(2, "GET", route, Body::empty())).await.status(), 200, "{route}");
    }
    for pending in pending {
        pending.abort();
    }
    tokio::time::sleep(SOON).await;
    assert_eq!(server.send(request(1, "GET", "/health/live", Body::empty())).await.status(), 200);
}

#[tokio::test(start_paused = true)]
async fn heads_of_running_requests_share_one_budget() {
    let server = server(MemoryLimits { heads_bytes_max: 40_000, ..MemoryLimits::default() });
    let long_head = |client: u8, method: &str, path: &str, bytes: usize| {
        let mut request = request(client, method, path, Body::empty());
        request.headers_mut().insert("x-long", "x".repeat(bytes).parse().unwrap());
        request
    };
    let pending: Vec<_> =
        (0..3).map(|_| server.begin(long_head(1, "POST", "/api/auth/login", 9_000))).collect();
    tokio::time::sleep(SOON).await;
    assert_eq!(
        pending.iter().filter(|pending| pending.is_finished()).count(),
        1,
        "two heads fit into half of the budget, three do not"
    );
    let (status, _, code) = problem(server.send(long_head(1, "GET", "/health/live", 9_000)).await).await;
    assert_eq!((status, code.as_str()), (503, "overloaded"));
    assert_eq!(server.send(long_head(2, "GET", "/health/live", 9_000)).await.status(), 200);
    assert_eq!(
        server.send(long_head(1, "GET", "/health/live", 10)).await.status(),
        200,
        "a small head still fits"
    );
    for pending in pending {
        pending.abort();
    }
    tokio::time::sleep(SOON).await;
    assert_eq!(server.send(long_head(1, "GET", "/health/live", 9_000)).await.status(), 200);
}

#[tokio::test]
async fn a_body_in_pieces_of_any_size_is_read_unchanged() {
    let server = server(MemoryLimits::default());
    for size in [1, 7, 1_000, 16 * 1024, 40_000] {
        let sent: Vec<u8> = (0..100_000_u32).map(|number| number.to_le_bytes()[0]).collect();
        let pieces: Vec<_> =
            sent.chunks(size).map(|piece| Ok::<_, Infallible>(Bytes::copy_from_slice(piece))).collect();
        let body = Body::from_stream(futures_util::stream::iter(pieces));
        let response = server.send(request(1, "POST", "/api/auth/signup", body)).await;
        let echoed = response.into_body().collect().await.unwrap().to_bytes();
        assert!(echoed == sent, "pieces of {size} bytes");
    }
}

#[tokio::test]
async fn unread_responses_to_writes_use_the_budget_of_later_reads() {
    let server = server(MemoryLimits { responses_bytes_max: 40_000, ..MemoryLimits::default() });
    let read = |client: u8| request(client, "GET", "/api/products", Body::empty());
    let write = || request(1, "POST", "/api/auth/logout", Body::empty());
    let mut unread = Vec::new();
    for _ in 0..3 {
        unread.push(server.send(write()).await);
    }
    assert!(unread.iter().all(|response| response.status() == 200));
    assert_eq!(server.send(read(1)).await.status(), 503);
    assert_eq!(server.send(read(2)).await.status(), 503, "30,000 of 40,000 bytes are held");
    unread.clear();
    assert_eq!(server.send(read(1)).await.status(), 200);
}

/// Regression test: unread streamed responses used up the whole budget.
#[tokio::test(start_paused = true)]
async fn unread_streamed_responses_leave_room_for_other_clients() {
    let server = server(MemoryLimits { responses_bytes_max: 40_000, ..MemoryLimits::default() });
    let mut responses = Vec::new();
    for client in 1..=2 {
        let read = request(client, "GET", "/api/products/lamp", Body::empty());
        responses.push(server.send(read).await.into_body());
    }
    // The test takes the pieces and keeps them, like a connection whose client does not read.
    let mut kept = Vec::new();
    for body in &mut responses {
        while let Ok(frame) = tokio::time::timeout(SOON, body.frame()).await {
            kept.push(frame.unwrap().unwrap());
        }
    }
    assert_eq!(kept.len(), 30, "the first client gets half of 40 pieces, the next one half of the rest");
    let other = server.send(request(3, "GET", "/health/live", Body::empty())).await;
    assert_eq!(other.status().as_u16(), 200);
    kept.clear();
    let mut rest = 0;
    while let Some(piece) = responses[0].frame().await {
        rest += piece.unwrap().into_data().unwrap().len();
    }
    assert_eq!(rest, 20_000, "the response continues when there is room");
}
