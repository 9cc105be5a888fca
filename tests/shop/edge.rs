//! Requests of slow, faulty and hostile clients.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::{Value, json};

use super::add_stock;
use super::process::Shop;

/// Longest wait of a test client for bytes. The shop waits less than this for a head or for more of a body.
const READ_WAIT_MAX: Duration = Duration::from_secs(30);

fn connect(shop: &Shop) -> TcpStream {
    let stream = TcpStream::connect(shop.address().trim_start_matches("http://")).unwrap();
    stream.set_read_timeout(Some(READ_WAIT_MAX)).unwrap();
    stream
}

/// Reads until the shop closes the connection. Fails if the connection stays open.
fn read_to_end(stream: &mut TcpStream) -> String {
    let mut bytes = Vec::new();
    let ended = stream.read_to_end(&mut bytes);
    let is_timeout = |error: &std::io::Error| {
        matches!(error.kind(), std::io::ErrorKind::WouldBlock | std::io::ErrorKind::TimedOut)
    };
    // A reset also closes the connection.
    assert!(!ended.as_ref().is_err_and(is_timeout), "the connection stays open");
    String::from_utf8_lossy(&bytes).into_owned()
}

// Proves: edge.slow-clients
#[tokio::test(flavor = "multi_thread")]
async fn clients_that_send_heads_or_bodies_slowly_are_disconnected() {
    let shop = Shop::start(&[]).await;
    let mut head = connect(&shop);
    head.write_all(b"GET /health/live HTTP/1.1\r\nHost: x\r\nX-Slow: ").unwrap();
    let mut silent = connect(&shop);
    let mut preface = connect(&shop);
    preface.write_all(b"PRI * HTTP/2.0\r\n").unwrap();
    let mut body = connect(&shop);
    body.write_all(b"POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n")
        .unwrap();
    body.write_all(b"Connection: close\r\nContent-Length: 100\r\n\r\n{\"email\":").unwrap();
    let responses = tokio::task::spawn_blocking(move || {
        assert_eq!((read_to_end(&mut silent), read_to_end(&mut preface)), (String::new(), String::new()));
        (read_to_end(&mut head), read_to_end(&mut body))
    });
    let (head, body) = responses.await.unwrap();
    assert!(!head.contains("200 OK"), "{head}");
    assert!(body.starts_with("HTTP/1.1 408") && body.contains("request-timeout"), "{body}");
    assert_eq!(shop.read("/api/products").await.0, 200);
}

// Proves: edge.unambiguous-requests
#[tokio::test(flavor = "multi_thread")]
async fn ambiguous_requests_are_refused() {
    let shop = Shop::start(&[]).await;
    for head in [
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nContent-Length: 6\r\n\r\n",
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\nTransfer-Encoding: identity\r\n\r\n",
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked, identity\r\n\r\n",
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "POST /api/auth/login HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: x\r\nHost: y\r\n\r\n",
        "GET /health/live HTTP/1.1\r\n\r\n",
        "GET /health/live HTTP/1.1\r\nHost: x\r\nBad Name: 1\r\n\r\n",
        "GET /health/live HTTP/1.1\nHost: x\n X-Folded: 1\r\n\r\n",
    ] {
        let mut stream = connect(&shop);
        stream.write_all(head.as_bytes()).unwrap();
        let response = tokio::task::spawn_blocking(move || read_to_end(&mut stream)).await.unwrap();
        assert!(response.starts_with("HTTP/1.1 400"), "{head:?}: {response:?}");
        assert_eq!(response.matches("HTTP/1.1").count(), 1, "{head:?}: {response:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_content_length_with_chunks_gets_one_response_and_no_second_request() {
    let shop = Shop::start(&[]).await;
    for lengths in
        ["Content-Length: 4\r\nTransfer-Encoding: chunked", "Transfer-Encoding: chunked\r\nContent-Length: 4"]
    {
        let second = "GET /health/live HTTP/1.1\r\nHost: x\r\n\r\n";
        let both = format!("POST /api/auth/login HTTP/1.1\r\nHost: x\r\n{lengths}\r\n\r\n0\r\n\r\n{second}");
        let mut stream = connect(&shop);
        stream.write_all(both.as_bytes()).unwrap();
        let response = tokio::task::spawn_blocking(move || read_to_end(&mut stream)).await.unwrap();
        assert_eq!(response.matches("HTTP/1.1").count(), 1, "{lengths}: {response:?}");
    }
}

/// Reads the head of a response.
fn read_head(stream: &mut TcpStream) -> String {
    let mut read = Vec::new();
    while !read.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        stream.read_exact(&mut byte).unwrap();
        read.extend(byte);
    }
    String::from_utf8(read).unwrap().to_ascii_lowercase()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_response_before_the_body_announces_the_end_of_the_connection() {
    let shop = Shop::start(&[]).await;
    for (path, sends_body) in [("/api/products", false), ("/api/nowhere", false), ("/api/cart/items", true)] {
        let mut stream = connect(&shop);
        let request = format!(
            "POST {path} HTTP/1.1\r\nHost: x\r\nX-API-Version: v1\r\nContent-Type: application/json\r\n\
             Content-Length: 2\r\n\r\n"
        );
        stream.write_all(request.as_bytes()).unwrap();
        let response = tokio::task::spawn_blocking(move || {
            if sends_body {
                stream.write_all(b"{}").unwrap();
            }
            read_head(&mut stream)
        });
        let response = response.await.unwrap();
        assert_eq!(response.contains("connection: close"), !sends_body, "{path}: {response}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_too_large_content_length_is_refused_before_the_body() {
    let shop = Shop::start(&[]).await;
    let mut stream = connect(&shop);
    stream
        .write_all(b"POST /api/payments/webhook HTTP/1.1\r\nHost: x\r\nContent-Length: 32769\r\n\r\n")
        .unwrap();
    let response = tokio::task::spawn_blocking(move || {
        let mut start = [0; 12];
        stream.read_exact(&mut start).unwrap();
        String::from_utf8_lossy(&start).into_owned()
    });
    let response = tokio::time::timeout(Duration::from_secs(5), response).await.unwrap().unwrap();
    assert_eq!(response, "HTTP/1.1 413");
}

// Proves: edge.internal-listener
#[tokio::test(flavor = "multi_thread")]
async fn metrics_and_the_release_gate_are_on_the_internal_listener() {
    let address = format!("127.0.0.1:{}", souk_servers::free_port().unwrap());
    let shop = Shop::start(&[("SOUK_INTERNAL_LISTEN", &address)]).await;
    let path = "/internal/release-gate/callbacks";
    let good = json!({"environment": "production", "release": "2026.11.1", "gate": "rollback",
        "status": "failed", "at": "2026-11-21T12:00:00Z"});
    assert_eq!(shop.send("POST", path, &good, &[]).await.0, 404);
    assert_eq!(shop.send("GET", "/metrics", &Value::Null, &[]).await.0, 404);
    let client = reqwest::Client::new();
    let send_callback = async |body: &Value| {
        client.post(format!("http://{address}{path}")).json(body).send().await.unwrap().status().as_u16()
    };
    assert_eq!((send_callback(&good).await, send_callback(&good).await), (204, 204));
    for (field, value) in [
        ("environment", json!("moon")),
        ("status", json!("maybe")),
        ("at", json!("yesterday")),
        ("gate", json!("")),
        ("gate", json!("a gate\n")),
        ("release", json!(7)),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        assert_eq!(send_callback(&bad).await, 422, "{bad}");
    }
    let metrics = client.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    let labels = r#"{environment="production",gate="rollback",status="failed"}"#;
    assert!(metrics.contains(&format!("souk_release_gate_callbacks_total{labels} 2")), "{metrics}");
    assert!(metrics.contains("souk_ready"));
}

// Proves: edge.head-limit
#[tokio::test(flavor = "multi_thread")]
async fn too_many_or_too_large_headers_are_refused() {
    let shop = Shop::start(&[]).await;
    let mut stream = connect(&shop);
    let flood = "X-Flood: 1\r\n".repeat(200);
    stream.write_all(format!("GET /health/live HTTP/1.1\r\nHost: x\r\n{flood}\r\n").as_bytes()).unwrap();
    let response = tokio::task::spawn_blocking(move || read_to_end(&mut stream)).await.unwrap();
    assert!(response.starts_with("HTTP/1.1 431"), "{response}");
    let token = "a".repeat(100_000);
    let result = shop.try_send("GET", "/api/orders", &Value::Null, &[("authorization", &token)]).await;
    assert!(result.is_err() || result.unwrap().0 == 431);
    let token = format!("Bearer {}", "a".repeat(50_000));
    assert_eq!(shop.send("GET", "/api/orders", &Value::Null, &[("authorization", &token)]).await.0, 401);
}

// Proves: edge.trusted-proxies
#[tokio::test(flavor = "multi_thread")]
async fn requests_through_a_trusted_proxy_are_limited_by_client_address() {
    let shop = Shop::start(&[("SOUK_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let login = json!({"email": "nobody@example.org", "password": "x"});
    let from = async |address: &str| {
        shop.send(
            "POST",
            "/api/auth/password/reset",
            &json!({"email": "nobody@example.org"}),
            &[("x-forwarded-for", address)],
        )
        .await
        .0
    };
    let mut last = 0;
    for _ in 0..200 {
        last = from("192.0.2.1").await;
        if last == 429 {
            break;
        }
    }
    assert_eq!(last, 429);
    let mut other = from("192.0.2.2").await;
    while other == 503 {
        // The resets of the first address occupy the workers for a moment.
        tokio::time::sleep(Duration::from_millis(100)).await;
        other = from("192.0.2.2").await;
    }
    assert_eq!(other, 202);
    assert_eq!(shop.send("POST", "/api/auth/login", &login, &[]).await.0, 401);
}

// Proves: edge.trusted-proxies
#[tokio::test(flavor = "multi_thread")]
async fn requests_through_an_untrusted_proxy_share_one_limit() {
    let shop = Shop::start(&[]).await;
    let write =
        async |headers: &[(&str, &str)]| shop.send("POST", "/api/products", &json!({}), headers).await.0;
    let proxied = [("x-forwarded-for", "192.0.2.1")];
    let mut last = 0;
    for _ in 0..600 {
        last = write(&proxied).await;
        if last == 429 {
            break;
        }
        assert_eq!(last, 401);
    }
    assert_eq!(last, 429);
    assert_eq!(
        write(&[("forwarded", "for=192.0.2.2")]).await,
        429,
        "all clients behind the proxy share its limit"
    );
    assert_eq!(write(&[]).await, 401, "requests from this machine are not limited");
    let ready = reqwest::get(format!("{}/health/ready", shop.address())).await.unwrap().text().await.unwrap();
    assert!(ready.contains("SOUK_TRUSTED_PROXIES"), "{ready}");
}

// Proves: edge.refused-requests-count
#[tokio::test(flavor = "multi_thread")]
async fn rejected_requests_count_against_the_limit() {
    let shop = Shop::start(&[("SOUK_TRUSTED_PROXIES", "127.0.0.0/8")]).await;
    let client = reqwest::Client::new();
    let guess = async |token: &str| {
        let request = client.get(format!("{}/api/auth/validate", shop.address())).bearer_auth(token);
        let response = request.header("x-forwarded-for", "192.0.2.7").send().await.unwrap();
        let rate_limit = response.headers().get("ratelimit").map(|value| value.to_str().unwrap().to_owned());
        (response.status().as_u16(), rate_limit)
    };
    let (status, rate_limit) = guess("0").await;
    assert!(
        status == 401 && rate_limit.as_ref().is_some_and(|text| text.contains("r=59")),
        "{status} {rate_limit:?}"
    );
    let mut last = 0;
    for guessed in 1..200 {
        last = guess(&guessed.to_string()).await.0;
        if last == 429 {
            break;
        }
        assert_eq!(last, 401);
    }
    assert_eq!(last, 429);
}

// Proves: edge.unambiguous-requests
#[tokio::test(flavor = "multi_thread")]
async fn single_value_headers_are_refused_if_they_are_sent_twice() {
    let shop = Shop::start(&[]).await;
    let bearer = shop.bearer();
    for (name, value) in [
        ("X-Correlation-Id", "one"),
        ("X-API-Version", "v1"),
        ("Authorization", bearer.as_str()),
        ("X-Cart-Token", "token"),
        ("Idempotency-Key", "key"),
        ("X-Min-Position", "1"),
        ("Content-Type", "application/json"),
        ("X-Razorpay-Signature", "00"),
    ] {
        let twice = [(name, value), (name, value)];
        let (status, problem) = shop.send("GET", "/api/products", &Value::Null, &twice).await;
        assert_eq!((status, problem["code"].as_str()), (400, Some("invalid-parameter")), "{problem}");
        assert_eq!(problem["detail"], format!("`{name}`: it is allowed only once"));
    }
    let twice = [("accept", "a/b"), ("accept", "*/*"), ("prefer", "handling=strict"), ("prefer", "wait=1")];
    assert_eq!(shop.send("GET", "/api/products", &Value::Null, &twice).await.0, 200);
}

// Proves: edge.cross-origin
#[tokio::test(flavor = "multi_thread")]
async fn only_configured_origins_may_send_cross_origin_requests() {
    let shop = Shop::start(&[("SOUK_CORS_ORIGINS", "https://shop.example")]).await;
    let client = reqwest::Client::new();
    let preflight = async |origin: &str| {
        let url = format!("{}/api/orders", shop.address());
        let request = client.request(reqwest::Method::OPTIONS, url).header("origin", origin);
        let request = request.header("access-control-request-method", "POST");
        let response =
            request.header("access-control-request-headers", "x-api-version").send().await.unwrap();
        response.headers().get("access-control-allow-origin").map(|value| value.to_str().unwrap().to_owned())
    };
    assert_eq!(preflight("https://shop.example").await.as_deref(), Some("https://shop.example"));
    assert_eq!(preflight("https://elsewhere.example").await, None);
    let response = client.get(format!("{}/api/products", shop.address())).send().await.unwrap();
    for (name, value) in
        [("x-content-type-options", "nosniff"), ("x-frame-options", "DENY"), ("cache-control", "no-store")]
    {
        assert_eq!(response.headers()[name], value);
    }
    assert!(response.headers().contains_key("content-security-policy"));
}

/// Sends the same request several times concurrently, and returns the statuses.
async fn send_concurrently(shop: &Shop, times: u32, path: &str, body: &Value) -> Vec<u16> {
    let requests = (0..times).map(|_| shop.send("POST", path, body, &[]));
    futures_util::future::join_all(requests).await.into_iter().map(|(status, _)| status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn concurrent_correct_passwords_and_lookups_all_succeed() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let account = json!({"email": "ada@example.org", "password": "correct horse battery", "name": "Ada"});
    assert_eq!(shop.send("POST", "/api/auth/signup", &account, &[]).await.0, 201);
    let mut sign_in = json!({"email": "ada@example.org", "password": "correct horse battery"});
    assert_eq!(send_concurrently(&shop, 12, "/api/auth/login", &sign_in).await, [200; 12]);
    let token = shop.guest_cart(&json!({"sku": "LAMP", "quantity": 1})).await;
    let order = json!({"cart": true, "email": "bob@example.org", "payment": {"token": "tok_ok"}});
    let placed = shop.send("POST", "/api/orders", &order, &[("x-cart-token", &token)]).await.1;
    shop.get("/api/orders").await;
    let lookup = json!({"code": placed["code"], "email": "bob@example.org"});
    assert_eq!(send_concurrently(&shop, 12, "/api/orders/lookup", &lookup).await, [200; 12]);
    // The shop compares no more wrong passwords when they arrive at once than when they arrive one by one.
    sign_in["password"] = json!("incorrect horse battery");
    let mut refused = send_concurrently(&shop, 12, "/api/auth/login", &sign_in).await;
    refused.sort_unstable();
    assert_eq!(refused, [[401; 5].as_slice(), [429; 7].as_slice()].concat());
    sign_in["password"] = json!("correct horse battery");
    assert_eq!(shop.send("POST", "/api/auth/login", &sign_in, &[]).await.0, 429, "the delay has begun");
}
