//! Rules of the edge that apply to every route: problems, version, correlation id, caller, bodies, timeouts.

#![expect(clippy::unwrap_used, reason = "in a test a panic is the message")]

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, Bytes};
use axum::http::{HeaderMap, Request, StatusCode};
use axum::routing::{get, post};
use http_body_util::BodyExt;
use serde_json::Value;
use souk_domain::{CartId, CustomerId};
use souk_eventsourcing::Clock;
use souk_eventsourcing::testkit::{Noon, noon};
use souk_gateway::server::{Connections, serve};
use souk_gateway::{BodyHandling, Edge, Limits, edge};
use souk_http::identity::{Grant, issue};
use souk_http::routes::BODY_BYTES_MAX;
use souk_http::{Caller, Keys, Problem, Role, cart_token, catalogue};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt;
use uuid::Uuid;

mod routes;

struct Server {
    router: Router,
    keys: Arc<Keys>,
    _folder: tempfile::TempDir,
}

fn grant(subject: &CustomerId, role: Role, ttl: Duration) -> Grant<'_> {
    Grant { subject, role, ttl, session: None }
}

async fn describe_caller(caller: Caller) -> String {
    let subject = caller.subject.as_ref().map_or("nobody", CustomerId::as_str).to_owned();
    format!("{subject} {:?}", caller.cart)
}

/// Responds with 404 after a lookup that takes as many milliseconds as the path says.
async fn missing_order(axum::extract::Path(milliseconds): axum::extract::Path<u64>) -> Problem {
    tokio::time::sleep(Duration::from_millis(milliseconds)).await;
    Problem::new("not-found", "the order does not exist")
}

fn server() -> Server {
    let folder = tempfile::tempdir().unwrap();
    let keys = Arc::new(Keys::open(folder.path()).unwrap());
    let router = Router::new()
        .route("/api/cart", get(describe_caller))
        .route("/api/auth/login", post(|| async { "in" }))
        .route("/api/payments/webhook", post(|| async { "taken" }))
        .route("/api/cart/merge", post(std::future::pending::<String>))
        .route("/api/admin/projections/switch", post(std::future::pending::<String>))
        .route("/api/cart/items", post(|body: Bytes| async move { body.len().to_string() }))
        .route("/api/products", get(|| async { panic!("secret internals") as String }))
        .route("/api/products/{id}", get(|| async { StatusCode::INTERNAL_SERVER_ERROR }))
        .route("/api/inventory/stock/{sku}", get(|| async { Problem::new("sku-taken", "the SKU is taken") }))
        .route("/api/orders/{id}", get(missing_order))
        .merge(catalogue::pages());
    let settings = Edge {
        routes: routes::table(),
        tokens: keys.clone(),
        ended_sessions: Arc::default(),
        clock: Arc::new(Noon),
        limits: Arc::new(Limits::local()),
        proxies: Arc::default(),
        bodies: BodyHandling::ReadHere,
        memory: Arc::default(),
    };
    Server { router: edge(router, settings), keys, _folder: folder }
}

impl Server {
    async fn send(&self, request: Request<Body>) -> (StatusCode, HeaderMap, String) {
        let response = self.router.clone().oneshot(request).await.unwrap();
        let (parts, body) = response.into_parts();
        let body = body.collect().await.unwrap().to_bytes();
        (parts.status, parts.headers, String::from_utf8(body.to_vec()).unwrap())
    }

    async fn get(&self, path: &str, headers: &[(&str, &str)]) -> (StatusCode, HeaderMap, String) {
        let mut request = Request::get(path).header("x-api-version", "v1");
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        self.send(request.body(Body::empty()).unwrap()).await
    }

    /// Sends a request, and checks that the response is a problem document with this status and code.
    async fn problem(&self, request: Request<Body>, status: u16, code: &str) -> Value {
        let path = request.uri().path().to_owned();
        let (actual_status, headers, body) = self.send(request).await;
        assert_eq!(actual_status.as_u16(), status, "{body}");
        assert_eq!(headers["content-type"], "application/problem+json");
        let problem: Value = serde_json::from_str(&body).unwrap();
        assert_eq!(problem["code"], code, "{problem}");
        assert_eq!(problem["type"], format!("/problems/{code}"));
        assert_eq!(problem["status"], status);
        assert_eq!(problem["instance"], path);
        assert_eq!(problem["correlationId"], headers["x-correlation-id"].to_str().unwrap());
        problem
    }
}

fn get_request(path: &str) -> axum::http::request::Builder {
    Request::get(path).header("x-api-version", "v1")
}

fn empty(builder: axum::http::request::Builder) -> Request<Body> {
    builder.body(Body::empty()).unwrap()
}

// Proves: edge.no-timing-leak
#[tokio::test(start_paused = true)]
async fn the_time_of_a_404_does_not_reveal_other_customers_orders() {
    let server = server();
    let ada = CustomerId::parse("ada").unwrap();
    let token = issue(&server.keys, grant(&ada, Role::Customer, Duration::from_mins(1)), noon(), Uuid::nil());
    let token = format!("Bearer {token}");
    for (lookup_ms, response_ms) in [(0, 5), (1, 5), (4, 5), (7, 10), (12, 15)] {
        let started = tokio::time::Instant::now();
        let path = format!("/api/orders/{lookup_ms}");
        assert_eq!(server.get(&path, &[("authorization", &token)]).await.0, StatusCode::NOT_FOUND);
        assert_eq!(started.elapsed().as_millis(), response_ms, "a lookup of {lookup_ms} ms");
    }
}

// Proves: edge.slow-clients
#[tokio::test(start_paused = true)]
async fn a_body_that_arrives_too_slowly_is_refused_even_without_long_pauses() {
    let server = server();
    let request = |pause_s: u64, chunk_bytes: usize| {
        let chunks = futures_util::stream::unfold((), move |()| async move {
            tokio::time::sleep(Duration::from_secs(pause_s)).await;
            Some((Ok::<_, std::io::Error>(Bytes::from(vec![b' '; chunk_bytes])), ()))
        });
        let body = Body::from_stream(futures_util::StreamExt::take(chunks, 40));
        Request::post("/api/cart/items").header("x-api-version", "v1").body(body).unwrap()
    };
    let started = tokio::time::Instant::now();
    server.problem(request(9, 1), 408, "request-timeout").await;
    assert_eq!(started.elapsed().as_secs(), 27);
    let (status, _, length) = server.send(request(9, 16 * 1_024)).await;
    assert_eq!((status, length), (StatusCode::OK, (40 * 16 * 1_024).to_string()));
}

// Proves: edge.route-timeouts
#[tokio::test(start_paused = true)]
async fn a_response_that_exceeds_the_timeout_of_its_route_is_replaced_by_a_problem() {
    let server = server();
    let ops = CustomerId::parse("ops").unwrap();
    let token = issue(&server.keys, grant(&ops, Role::Admin, Duration::from_hours(1)), noon(), Uuid::nil());
    let bearer = format!("Bearer {token}");
    for (path, seconds) in [("/api/cart/merge", 40), ("/api/admin/projections/switch", 600)] {
        let started = tokio::time::Instant::now();
        let request = Request::post(path).header("x-api-version", "v1").header("authorization", &bearer);
        let problem = server.problem(empty(request), 503, "upstream-unavailable").await;
        assert_eq!(started.elapsed().as_secs(), seconds, "{path}");
        assert!(
            problem["detail"].as_str().unwrap().contains(&format!("within {seconds} seconds")),
            "{problem}"
        );
    }
}

#[tokio::test]
async fn a_connection_beyond_the_limit_waits_until_another_one_closes() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let proxies = vec!["127.0.0.0/8".parse().unwrap()];
    let connections = Connections { count_max: 2, proxies, ..Connections::default() };
    tokio::spawn(serve(listener, server().router, connections, std::future::pending()));
    let connect = async || {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(b"GET /problems/internal HTTP/1.1\r\nHost: x\r\n\r\n").await.unwrap();
        stream
    };
    let mut first = connect().await;
    let mut second = connect().await;
    let mut third = connect().await;
    let mut byte = [0];
    first.read_exact(&mut byte).await.unwrap();
    second.read_exact(&mut byte).await.unwrap();
    let early = tokio::time::timeout(Duration::from_millis(300), third.read_exact(&mut byte)).await;
    assert!(early.is_err(), "two connections are open");
    drop(first);
    third.read_exact(&mut byte).await.unwrap();
}

// Proves: common.problem-documents
#[tokio::test]
async fn every_error_response_is_a_problem_document() {
    let server = server();
    server.problem(empty(get_request("/api/nowhere")), 404, "not-found").await;
    server.problem(empty(Request::get("/nowhere")), 404, "not-found").await;
    server.problem(empty(get_request("/api/inventory/stock/7")), 409, "sku-taken").await;
    server.problem(empty(get_request("/api/products/7")), 500, "internal").await;
    let panicked = server.problem(empty(get_request("/api/products")), 500, "internal").await;
    assert!(!panicked.to_string().contains("secret internals"));
    let delete = empty(Request::delete("/api/cart").header("x-api-version", "v1"));
    let (_, headers, _) = server.send(delete).await;
    assert_eq!(headers["allow"], "GET,HEAD");
    let delete = empty(Request::delete("/api/cart").header("x-api-version", "v1"));
    server.problem(delete, 405, "method-not-allowed").await;
}

// Proves: common.version-header
#[tokio::test]
async fn the_api_version_is_required_except_on_auth_and_webhook_routes() {
    let server = server();
    server.problem(empty(Request::get("/api/cart")), 400, "api-version-missing").await;
    server.problem(empty(Request::get("/api/nowhere")), 400, "api-version-missing").await;
    let second = empty(Request::get("/api/cart").header("x-api-version", "v2"));
    server.problem(second, 400, "api-version-unsupported").await;
    for path in ["/api/auth/login", "/api/payments/webhook"] {
        assert_eq!(server.send(empty(Request::post(path))).await.0, 200, "{path}");
    }
}

// Proves: common.correlation-id
#[tokio::test]
async fn a_correlation_id_is_repeated_created_or_refused() {
    let server = server();
    let (_, headers, _) = server.get("/api/cart", &[("x-correlation-id", "mine")]).await;
    assert_eq!(headers["x-correlation-id"], "mine");
    let (_, headers, _) = server.get("/api/cart", &[]).await;
    assert_eq!(headers["x-correlation-id"], Noon.new_id().to_string());
    let long = "x".repeat(129);
    for refused in ["a b", "", long.as_str()] {
        let request = empty(get_request("/api/cart").header("x-correlation-id", refused));
        server.problem(request, 400, "invalid-parameter").await;
    }
}

#[tokio::test]
async fn a_caller_is_identified_by_access_token_and_cart_token() {
    let server = server();
    let ada = CustomerId::parse("ada").unwrap();
    let minute = Duration::from_mins(1);
    let token =
        format!("Bearer {}", issue(&server.keys, grant(&ada, Role::Customer, minute), noon(), Uuid::nil()));
    let cart = CartId(Uuid::from_u128(7));
    let cart_token = cart_token::issue(&server.keys, cart);
    let (_, _, body) =
        server.get("/api/cart", &[("authorization", &token), ("x-cart-token", &cart_token)]).await;
    assert_eq!(body, format!("ada {:?}", Some(cart)));
    assert_eq!(server.get("/api/cart", &[]).await.2, "nobody None");
}

// Proves: edge.invalid-tokens
#[tokio::test]
async fn an_invalid_token_is_refused_even_where_none_is_needed() {
    let server = server();
    let ada = CustomerId::parse("ada").unwrap();
    let hour_ago = noon() - jiff::SignedDuration::from_hours(1);
    let expired =
        issue(&server.keys, grant(&ada, Role::Admin, Duration::from_mins(1)), hour_ago, Uuid::nil());
    for value in
        [format!("Bearer {expired}"), "Bearer x".to_owned(), "Basic YTpi".to_owned(), "Bearer".to_owned()]
    {
        let request = empty(get_request("/api/cart").header("authorization", value));
        server.problem(request, 401, "unauthenticated").await;
    }
    let (_, headers, _) = server.get("/api/cart", &[("authorization", "Bearer x")]).await;
    assert_eq!(headers["www-authenticate"], "Bearer");
    let forged = empty(get_request("/api/cart").header("x-cart-token", "forged"));
    server.problem(forged, 400, "invalid-parameter").await;
}

// Proves: edge.body-limit
#[tokio::test]
async fn a_body_may_have_one_mebibyte_and_no_more() {
    let server = server();
    let post =
        |body: Body| Request::post("/api/cart/items").header("x-api-version", "v1").body(body).unwrap();
    let (_, _, length) = server.send(post(Body::from(vec![b'x'; BODY_BYTES_MAX]))).await;
    assert_eq!(length, BODY_BYTES_MAX.to_string());
    let larger = post(Body::from(vec![b'x'; BODY_BYTES_MAX + 1]));
    server.problem(larger, 413, "body-too-large").await;
}

// Proves: edge.body-limit
#[tokio::test]
async fn a_large_body_without_a_length_is_read_to_its_end_before_the_response() {
    let server = server();
    let (sender, receiver) = tokio::sync::mpsc::channel::<Bytes>(1);
    let frame = Bytes::from(vec![b'x'; BODY_BYTES_MAX]);
    let sending = tokio::spawn(async move {
        for _ in 0..4 {
            sender.send(frame.clone()).await.expect("the server continues to read");
        }
    });
    let frames = futures_util::stream::unfold(receiver, |mut receiver| async move {
        receiver.recv().await.map(|frame| (Ok::<_, std::convert::Infallible>(frame), receiver))
    });
    let body = Body::from_stream(frames);
    let request = Request::post("/api/cart/items").header("x-api-version", "v1").body(body).unwrap();
    server.problem(request, 413, "body-too-large").await;
    sending.await.unwrap();
}

// Proves: common.problem-pages
#[tokio::test]
async fn every_problem_code_has_a_page_that_explains_it() {
    let server = server();
    for entry in catalogue::entries() {
        let (status, _, body) = server.get(&format!("/problems/{}", entry.code), &[]).await;
        assert!(status == 200 && body.contains(entry.title), "{}", entry.code);
    }
    server.problem(empty(Request::get("/problems/none")), 404, "not-found").await;
}
