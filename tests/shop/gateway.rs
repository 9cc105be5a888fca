//! Gateway processes in front of a shop, and Redis, which they share.

use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt as _};
use serde_json::{Value, json};
use souk_servers::Redis;

use super::add_stock;
use super::process::{Gateway, Shop, lines, souk};

const PASSWORD: &str = "correct horse battery";
/// Settings of a shop behind gateways: it trusts their client addresses, and does not limit requests itself.
const BEHIND_GATEWAY: [(&str, &str); 2] =
    [("SOUK_TRUSTED_PROXIES", "127.0.0.0/8"), ("SOUK_LIMITS", "guesses")];
/// Address of a client on another machine.
const CLIENT_ADDRESS: &str = "203.0.113.9";
/// Number of concurrent requests.
const CONCURRENT_REQUESTS: usize = 100;
/// Setting of a gateway that trusts `X-Forwarded-For` of the tests, so that a test can choose its client
/// address.
const TRUSTING: (&str, &str) = ("SOUK_TRUSTED_PROXIES", "127.0.0.0/8");

async fn sign_up(gateway: &Gateway, email: &str) -> (String, String) {
    let body = json!({"email": email, "password": PASSWORD, "name": "Ada"});
    let (status, response) =
        gateway.send("POST", "/api/auth/signup", &body, &[("x-forwarded-for", CLIENT_ADDRESS)]).await;
    assert_eq!(status, 201, "{response}");
    let text = |name: &str| response[name].as_str().unwrap().to_owned();
    (format!("Bearer {}", text("accessToken")), text("refreshToken"))
}

// Proves: edge.internal-listener
#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_serves_metrics_and_callbacks_on_its_internal_listener() {
    let address = format!("127.0.0.1:{}", souk_servers::free_port().unwrap());
    let shop = Shop::start(&BEHIND_GATEWAY).await;
    let gateway = Gateway::start(shop.address(), &[TRUSTING, ("SOUK_INTERNAL_LISTEN", &address)]).await;
    let gate = "/internal/release-gate/callbacks";
    let callback = json!({"environment": "staging", "release": "2026.11.1", "gate": "smoke", "status": "passed",
        "at": "2026-11-21T12:00:00Z"});
    assert_eq!(gateway.send("POST", gate, &callback, &[]).await.0, 404);
    assert_eq!(gateway.text("/metrics").await.0, 404, "the shop's metrics are not served either");
    let client = reqwest::Client::new();
    let response = client.post(format!("http://{address}{gate}")).json(&callback).send().await.unwrap();
    assert_eq!(response.status(), 204);
    let metrics = client.get(format!("http://{address}/metrics")).send().await.unwrap().text().await.unwrap();
    for metric in ["souk_upstream", r#"{environment="staging",gate="smoke",status="passed"}"#] {
        assert!(metrics.contains(metric), "{metric} is not in {metrics}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_learns_new_and_removed_token_keys() {
    let shop = Shop::start(&BEHIND_GATEWAY).await;
    let gateway = Gateway::start(shop.address(), &[TRUSTING]).await;
    let token = || {
        let output = souk(shop.folder(), &["token", "--role", "admin", "--subject", "ops"]);
        format!("Bearer {}", String::from_utf8(output.stdout).unwrap().trim())
    };
    // The gateway checks the token of this request itself.
    let wait_for_status = async |bearer: &str, status: u16| {
        let reached = async {
            let headers = [("authorization", bearer)];
            while gateway.send("GET", "/health/live", &Value::Null, &headers).await.0 != status {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(120), reached).await.unwrap();
    };
    let old = token();
    wait_for_status(&old, 200).await;
    assert_eq!(lines(shop.folder(), &["keys", "rotate"]).1.len(), 2);
    let new = token();
    wait_for_status(&new, 200).await;
    wait_for_status(&old, 200).await;
    tokio::time::sleep(Duration::from_secs(1)).await;
    assert_eq!(lines(shop.folder(), &["keys", "rotate", "--now"]).1.len(), 1);
    wait_for_status(&old, 401).await;
    wait_for_status(&token(), 200).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn orders_can_be_placed_and_read_through_a_gateway() {
    let shop = Shop::start(&BEHIND_GATEWAY).await;
    add_stock(&shop, "LAMP", 5).await;
    let gateway = Gateway::start(shop.address(), &[TRUSTING]).await;
    let (bearer, refresh) = sign_up(&gateway, "ada@example.org").await;
    // The list of sign-ins has the client address that the gateway determined.
    let trail = gateway.send("GET", "/api/auth/audit", &Value::Null, &[("authorization", &bearer)]).await.1;
    assert_eq!(trail["items"][0]["address"], CLIENT_ADDRESS, "{trail}");
    let order = json!({"lines": [{"sku": "LAMP", "quantity": 2}], "payment": {"token": "tok_ok"}});
    let headers = [("authorization", bearer.as_str()), ("idempotency-key", "once")];
    let (status, placed) = gateway.send("POST", "/api/orders", &order, &headers).await;
    assert_eq!((status, &placed["status"]), (201, &json!("CONFIRMED")), "{placed}");
    let path = format!("/api/orders/{}", placed["id"].as_str().unwrap());
    let headers =
        [("authorization", bearer.as_str()), ("x-min-position", placed["position"].as_str().unwrap())];
    let (status, order) = gateway.send("GET", &path, &Value::Null, &headers).await;
    assert_eq!((status, &order["total"]["amount"]), (200, &json!(500)));
    // Another customer gets the problem of the shop unchanged.
    let (other, _) = sign_up(&gateway, "bob@example.org").await;
    let (status, problem) = gateway.send("GET", &path, &Value::Null, &[("authorization", &other)]).await;
    assert_eq!((status, &problem["code"]), (404, &json!("not-found")), "{problem}");
    let body = json!({"refreshToken": refresh, "everywhere": true});
    assert_eq!(gateway.send("POST", "/api/auth/logout", &body, &[]).await.0, 204);
    assert_eq!(
        gateway.send("GET", "/api/auth/validate", &Value::Null, &[("authorization", &bearer)]).await.0,
        401
    );
    assert!(gateway.text("/openapi.json").await.1.contains("openapi"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_without_its_shop_names_the_missing_upstream() {
    let shop = Shop::start(&BEHIND_GATEWAY).await;
    let address = shop.address().to_owned();
    let shop = shop.kill().await;
    let gateway = Gateway::open(&address, &[]);
    assert_eq!(gateway.text("/health/live").await.0, 200);
    let (status, problem) = gateway.text("/health/ready").await;
    assert!(status == 503 && problem.contains("upstream-unavailable"), "{problem}");
    let (status, problem) = gateway.send("GET", "/api/products", &Value::Null, &[]).await;
    assert!(status == 503 && problem["detail"].as_str().unwrap().contains("`queries`"), "{problem}");
    for _ in 0..30 {
        gateway.send("GET", "/api/products", &Value::Null, &[]).await;
    }
    assert!(gateway.text("/metrics").await.1.contains("souk_upstream_state{upstream=\"queries\"} 2"));
    drop(shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_is_ready_while_one_of_its_upstreams_responds() {
    let commands = Shop::start(&BEHIND_GATEWAY).await;
    let queries = Shop::start(&BEHIND_GATEWAY).await;
    let gateway = Gateway::open_between(commands.address(), queries.address(), &[]);
    gateway.wait_until("/health/ready", |text| text == "ready").await;
    let queries = queries.kill().await;
    gateway.wait_until("/health/ready", |text| text == "ready\nqueries: does not respond").await;
    assert_eq!(gateway.text("/health/ready").await.0, 200, "writes still work");
    let commands = commands.kill().await;
    gateway.wait_until("/health/ready", |text| text.contains("no upstream responds")).await;
    let (status, problem) = gateway.text("/health/ready").await;
    assert!(status == 503 && problem.contains("upstream-unavailable"), "{problem}");
    assert!(gateway.text("/metrics").await.1.contains("souk_ready 0"));
    drop((commands, queries));
}

// Proves: edge.shared-rate-limits
#[tokio::test(flavor = "multi_thread")]
async fn two_gateways_with_one_redis_share_the_limits() {
    let shop = Shop::start(&BEHIND_GATEWAY).await;
    let redis = Redis::start().unwrap();
    let url = redis.url();
    let variables = [TRUSTING, ("SOUK_REDIS_URL", url.as_str())];
    let gateways =
        [Gateway::start(shop.address(), &variables).await, Gateway::start(shop.address(), &variables).await];
    let began = Instant::now();
    // The limit is 1,200 requests a minute: 1,200 at once, and then one every 50 ms.
    let send = async |n: usize| {
        let headers = [("x-forwarded-for", CLIENT_ADDRESS)];
        gateways[n % 2].send("GET", "/api/products?limit=1", &Value::Null, &headers).await.0
    };
    let statuses: Vec<u16> =
        stream::iter(0..1_800).map(send).buffer_unordered(CONCURRENT_REQUESTS).collect().await;
    let passed = u32::try_from(statuses.iter().filter(|status| **status == 200).count()).unwrap();
    let passed = f64::from(passed);
    // On a busy machine Redis may respond too late. A metric counts the requests that a gateway then counted
    // itself.
    let mut fallen_back = 0.0;
    for gateway in &gateways {
        let metrics = gateway.text("/metrics").await.1;
        let count = metrics.lines().find_map(|line| line.strip_prefix("souk_limits_fallen_back_total "));
        fallen_back += count.map_or(0.0, |count| count.parse().unwrap());
    }
    assert!(fallen_back < 900.0, "more than half of the requests were not counted in Redis");
    let allowed = 1_200.0 + began.elapsed().as_secs_f64() * 20.0 + fallen_back;
    assert!(statuses.iter().all(|status| [200, 429].contains(status)), "{statuses:?}");
    assert!(passed >= 1_200.0 && passed <= allowed * 1.02, "{passed} of {allowed}");
}

// Proves: sign-in.sign-out
#[tokio::test(flavor = "multi_thread")]
async fn a_signed_out_session_is_refused_by_every_gateway_even_while_redis_is_down() {
    let mut redis = Redis::start().unwrap();
    let url = redis.url();
    let shared = ("SOUK_REDIS_URL", url.as_str());
    let shop = Shop::start(&[BEHIND_GATEWAY[0], BEHIND_GATEWAY[1], shared]).await;
    let gateways = [
        Gateway::start(shop.address(), &[TRUSTING, shared]).await,
        Gateway::start(shop.address(), &[TRUSTING, shared]).await,
    ];
    for gateway in &gateways {
        gateway.wait_until("/health/ready", |text| text == "ready").await;
    }
    let (bearer, refresh) = sign_up(&gateways[0], "ada@example.org").await;
    let (staying, _) = sign_up(&gateways[0], "bob@example.org").await;
    let body = json!({"refreshToken": refresh});
    assert_eq!(gateways[0].send("POST", "/api/auth/logout", &body, &[]).await.0, 204);
    // Without the shop, every response comes from the gateway itself.
    let shop = shop.kill().await;
    let validate = async |gateway: &Gateway, bearer: &str| {
        gateway.send("GET", "/api/auth/validate", &Value::Null, &[("authorization", bearer)]).await.0
    };
    for gateway in &gateways {
        let refused = async {
            while validate(gateway, &bearer).await != 401 {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), refused).await.unwrap();
        assert_eq!(validate(gateway, &staying).await, 503);
    }
    redis.stop();
    let gateway = &gateways[1];
    // A request that is counted, so that the gateway notices the lost Redis.
    let counted = [("x-forwarded-for", CLIENT_ADDRESS)];
    gateway.send("GET", "/api/products", &Value::Null, &counted).await;
    gateway
        .wait_until("/health/ready", |text| text.contains("limits: ") && text.contains("sessions: "))
        .await;
    let metrics = gateway.text("/metrics").await.1;
    assert!(
        metrics.contains("souk_limits_shared 0") && metrics.contains("souk_denials_shared 0"),
        "{metrics}"
    );
    assert_eq!(validate(gateway, &bearer).await, 401, "known ended sessions stay refused");
    redis.begin().unwrap();
    gateway.wait_until("/health/ready", |text| !text.contains("sessions: ")).await;
    let are_shared = async {
        while !gateway.text("/metrics").await.1.contains("souk_limits_shared 1") {
            gateway.send("GET", "/api/products", &Value::Null, &counted).await;
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(30), are_shared).await.unwrap();
    drop(shop);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_gateway_with_an_invalid_configuration_does_not_start() {
    let refused = |arguments: &[&str], variables: &[(&str, &str)]| {
        let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_souk"));
        let output = command.args(arguments).envs(variables.iter().copied()).output().unwrap();
        assert!(!output.status.success());
        String::from_utf8(output.stderr).unwrap()
    };
    let gateway = ["serve", "--role", "gateway", "--upstream-queries", "http://127.0.0.1:1"];
    assert!(refused(&gateway, &[]).contains("SOUK_UPSTREAM_COMMANDS"));
    assert!(refused(&["serve", "--role", "king"], &[]).contains("all or gateway"));
    let secret = ("SOUK_REDIS_URL", "http://:hunter22@127.0.0.1");
    let error = refused(&["serve"], &[secret]);
    assert!(error.contains("SOUK_REDIS_URL") && !error.contains("hunter22"), "{error}");
}
