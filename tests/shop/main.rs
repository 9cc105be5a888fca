//! End-to-end tests of the program: each test starts a process with its own data folder and sends HTTP
//! requests.

#![allow(clippy::unwrap_used, reason = "a failed test shows its line")]

mod access;
mod advice;
mod carts;
mod disks;
mod docs;
mod edge;
mod faults;
mod forgotten;
mod gateway;
mod golden;
mod history;
mod imports;
mod missing_keys;
mod people;
mod process;
mod providers;
mod refunds;
mod replay;
mod tls;

use serde_json::{Value, json};

use process::{Shop, souk};

/// Body of a request that orders units of one SKU.
fn order_request(sku: &str, quantity: u32, token: &str) -> Value {
    json!({ "lines": [{ "sku": sku, "quantity": quantity }], "payment": { "token": token } })
}

/// Creates a product with one SKU, and sets its stock.
async fn add_stock(shop: &Shop, sku: &str, units: u32) {
    let product = json!({ "name": sku, "sku": sku, "price": { "amount": 250, "currency": "GBP" } });
    assert_eq!(shop.post("/api/products", &product).await.0, 201);
    assert_eq!(shop.post("/api/inventory/stock", &json!({ "sku": sku, "onHand": units })).await.0, 200);
}

/// Returns the units on hand and the reserved units of a SKU.
async fn stock_of(shop: &Shop, sku: &str) -> (i64, i64) {
    let stock = shop.get(&format!("/api/inventory/stock/{sku}")).await.1;
    (stock["onHand"].as_i64().unwrap(), stock["reserved"].as_i64().unwrap())
}

// Proves: orders.checkout
#[tokio::test(flavor = "multi_thread")]
async fn a_confirmed_order_is_paid_and_reduces_the_stock() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 10).await;
    let (status, order) = shop.post("/api/orders", &order_request("LAMP", 3, "tok_ok")).await;
    assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")));
    let order = shop.get(&format!("/api/orders/{}", order["id"].as_str().unwrap())).await.1;
    assert_eq!(order["payment"]["status"], "CAPTURED");
    assert_eq!(order["lines"][0]["reservation"], "CONFIRMED");
    assert_eq!(stock_of(&shop, "LAMP").await, (7, 0));
}

// Proves: inventory.never-oversold
#[tokio::test(flavor = "multi_thread")]
async fn concurrent_orders_never_sell_more_than_the_stock() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 50).await;
    let order = order_request("LAMP", 1, "tok_ok");
    let buyers = (0..200).map(|_| shop.post("/api/orders", &order));
    let responses = futures_util::future::join_all(buyers).await;
    let count = |status: &str| responses.iter().filter(|(_, order)| order["status"] == status).count();
    assert_eq!((count("CONFIRMED"), count("CANCELLED")), (50, 150));
    assert_eq!(stock_of(&shop, "LAMP").await, (0, 0));
    let cancelled = responses.iter().find(|(_, order)| order["status"] == "CANCELLED").unwrap();
    let order = shop.get(&format!("/api/orders/{}", cancelled.1["id"].as_str().unwrap())).await.1;
    assert_eq!(order["reason"]["code"], "insufficient-stock");
}

// Proves: orders.undo
#[tokio::test(flavor = "multi_thread")]
async fn a_declined_order_releases_its_reservations() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 5).await;
    let (_, order) = shop.post("/api/orders", &order_request("LAMP", 5, "tok_decline")).await;
    assert_eq!(order["status"], "CANCELLED");
    assert_eq!(stock_of(&shop, "LAMP").await, (5, 0));
}

// Proves: orders.timeout
#[tokio::test(flavor = "multi_thread")]
async fn a_payment_of_a_timed_out_order_is_voided() {
    let shop = Shop::start(&[("SOUK_PAYMENT_TIMEOUT_S", "1")]).await;
    add_stock(&shop, "LAMP", 5).await;
    let (_, order) = shop.post("/api/orders", &order_request("LAMP", 2, "tok_slow_2000")).await;
    assert_eq!(order["status"], "TIMED_OUT");
    assert_eq!(stock_of(&shop, "LAMP").await, (5, 0));
    let order = shop.get(&format!("/api/orders/{}", order["id"].as_str().unwrap())).await.1;
    let payment = order["payment"]["id"].as_str().unwrap().to_owned();
    let stream = format!("/api/admin/streams/payment-{payment}");
    let voided = |events: &Value| {
        events["items"].as_array().unwrap().iter().any(|event| event["type"] == "payment.voided")
    };
    shop.wait_until(&stream, voided).await;
    assert_eq!(shop.get(&format!("/api/payments/{payment}")).await.1["status"], "CANCELLED");
}

// Proves: orders.cancel-restocks-and-refunds
#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_is_refunded_and_restocked() {
    let shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 5).await;
    let (_, order) = shop.post("/api/orders", &order_request("LAMP", 2, "tok_ok")).await;
    let id = order["id"].as_str().unwrap();
    let (status, cancelled) =
        shop.post(&format!("/api/orders/{id}/cancel"), &json!({ "reason": "broken" })).await;
    assert_eq!((status, cancelled["status"].as_str()), (200, Some("CANCELLED")));
    shop.wait_until("/api/inventory/stock/LAMP", |stock| stock["onHand"] == 5).await;
    shop.wait_until(&format!("/api/orders/{id}"), |order| order["payment"]["status"] == "REFUNDED").await;
}

// Proves: orders.crash-safe
#[tokio::test(flavor = "multi_thread")]
async fn orders_and_stock_balance_after_kills_and_restarts() {
    let mut shop = Shop::start(&[]).await;
    add_stock(&shop, "LAMP", 1_000).await;
    for round in 0..5 {
        let order = order_request("LAMP", 1, "tok_slow_5");
        let placed = (0..20).map(|n| shop.send_keyed("/api/orders", &order, format!("order-{round}-{n}")));
        let killed = shop.kill_after(std::time::Duration::from_millis(20 * round));
        // The kill loses some responses. Repeating the requests with the same keys returns their results.
        let _ = tokio::join!(futures_util::future::join_all(placed), killed);
        shop = shop.restart().await;
        let repeated = (0..20).map(|n| shop.send_keyed("/api/orders", &order, format!("order-{round}-{n}")));
        for response in futures_util::future::join_all(repeated).await {
            let (status, order) = response.expect("the shop is running");
            assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")), "{order}");
        }
    }
    assert_eq!(stock_of(&shop, "LAMP").await, (900, 0));
    let sales = shop.get("/api/orders/admin/sales").await.1;
    assert_eq!(
        (&sales["total"]["orders"], &sales["total"]["revenue"]["amount"]),
        (&json!(100), &json!(25_000))
    );
    let folder = shop.stop();
    for command in [&["log", "verify"][..], &["replay", "--verify"][..]] {
        let output = souk(folder.path(), command);
        assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stdout));
    }
}

// Proves: operations.one-shop-per-folder
#[tokio::test(flavor = "multi_thread")]
async fn a_second_shop_on_the_same_folder_is_refused() {
    let shop = Shop::start(&[]).await;
    let output = souk(shop.folder(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("in use by process"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_in_use_is_reported_before_any_file_is_opened() {
    let shop = Shop::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let taken = shop.address().trim_start_matches("http://").to_owned();
    for (flag, other) in [("--listen", "--internal-listen"), ("--internal-listen", "--listen")] {
        let output = souk(folder.path(), &["serve", flag, &taken, other, "127.0.0.1:0"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(&format!("can't listen on {taken}")), "{error}");
        assert!(!error.contains("ERROR") && !error.contains("WARN"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "no file was created");
    }
}

/// Regression: with huge pages, the shop used twice as much memory.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn the_shop_disables_huge_pages() {
    let shop = Shop::start(&[]).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", shop.pid())).unwrap();
    assert!(status.lines().any(|line| line.split_whitespace().eq(["THP_enabled:", "0"])), "{status}");
}

// Proves: operations.command-line
#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_command_line_is_refused_with_the_reason() {
    let folder = Shop::start(&[]).await.stop();
    let shop = Shop::start(&[]).await;
    let taken = shop.address().trim_start_matches("http://").to_owned();
    for (arguments, code, text) in [
        (vec!["serve", "--listen", taken.as_str()], 1, "can't listen on"),
        (vec!["serve", "--listen", "here"], 2, "--listen"),
        (vec!["replay", "nothing"], 2, "products"),
        (vec!["token", "--subject", ""], 2, "--subject"),
        (vec!["token", "--subject", "x", "--ttl", "1€"], 2, "--ttl"),
        (vec!["import", "products", "x", "--url", "here"], 2, "--url"),
        (vec!["events", "stream", "nothing"], 1, "not a stream name"),
        (vec!["nothing"], 2, "nothing"),
    ] {
        let output = souk(folder.path(), &arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(text), "{arguments:?}: {error}");
    }
}
