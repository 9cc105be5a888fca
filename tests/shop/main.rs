//! The real binary, from outside: a process on a data folder of its own, spoken to over HTTP.

#![allow(clippy::unwrap_used, reason = "a test that can't go on says where")]

mod access;
mod advice;
mod carts;
mod disks;
#[path = "../api/documented.rs"]
mod documented;
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

fn order_of(sku: &str, quantity: u32, token: &str) -> Value {
    json!({ "lines": [{ "sku": sku, "quantity": quantity }], "payment": { "token": token } })
}

async fn stocked(shop: &Shop, sku: &str, units: u32) {
    let product = json!({ "name": sku, "sku": sku, "price": { "amount": 250, "currency": "GBP" } });
    assert_eq!(shop.post("/api/products", &product).await.0, 201);
    assert_eq!(shop.post("/api/inventory/stock", &json!({ "sku": sku, "onHand": units })).await.0, 200);
}

async fn stock_of(shop: &Shop, sku: &str) -> (i64, i64) {
    let stock = shop.get(&format!("/api/inventory/stock/{sku}")).await.1;
    (stock["onHand"].as_i64().unwrap(), stock["reserved"].as_i64().unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn an_order_is_confirmed_paid_and_taken_off_the_shelf() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 10).await;
    let (status, order) = shop.post("/api/orders", &order_of("LAMP", 3, "tok_ok")).await;
    assert_eq!((status, order["status"].as_str()), (201, Some("CONFIRMED")));
    let order = shop.get(&format!("/api/orders/{}", order["id"].as_str().unwrap())).await.1;
    assert_eq!(order["payment"]["status"], "CAPTURED");
    assert_eq!(order["lines"][0]["reservation"], "CONFIRMED");
    assert_eq!(stock_of(&shop, "LAMP").await, (7, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn two_hundred_buyers_of_fifty_units_never_oversell() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 50).await;
    let order = order_of("LAMP", 1, "tok_ok");
    let buyers = (0..200).map(|_| shop.post("/api/orders", &order));
    let answers = futures_util::future::join_all(buyers).await;
    let of_status = |wanted: &str| answers.iter().filter(|(_, order)| order["status"] == wanted).count();
    assert_eq!((of_status("CONFIRMED"), of_status("CANCELLED")), (50, 150));
    assert_eq!(stock_of(&shop, "LAMP").await, (0, 0));
    let cancelled = answers.iter().find(|(_, order)| order["status"] == "CANCELLED").unwrap();
    let order = shop.get(&format!("/api/orders/{}", cancelled.1["id"].as_str().unwrap())).await.1;
    assert_eq!(order["reason"]["code"], "insufficient-stock");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_declined_order_gives_back_what_it_held() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 5).await;
    let (_, order) = shop.post("/api/orders", &order_of("LAMP", 5, "tok_decline")).await;
    assert_eq!(order["status"], "CANCELLED");
    assert_eq!(stock_of(&shop, "LAMP").await, (5, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_charged_for_an_order_that_timed_out() {
    let shop = Shop::start(&[("SOUK_PAYMENT_TIMEOUT_S", "1")]).await;
    stocked(&shop, "LAMP", 5).await;
    let (_, order) = shop.post("/api/orders", &order_of("LAMP", 2, "tok_slow_2000")).await;
    assert_eq!(order["status"], "TIMED_OUT");
    assert_eq!(stock_of(&shop, "LAMP").await, (5, 0));
    let order = shop.get(&format!("/api/orders/{}", order["id"].as_str().unwrap())).await.1;
    let payment = order["payment"]["id"].as_str().unwrap().to_owned();
    let stream = format!("/api/admin/streams/payment-{payment}");
    let voided = |events: &Value| {
        events["items"].as_array().unwrap().iter().any(|event| event["type"] == "payment.voided")
    };
    shop.until(&stream, voided).await;
    assert_eq!(shop.get(&format!("/api/payments/{payment}")).await.1["status"], "CANCELLED");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cancelled_order_is_refunded_and_restocked_by_itself() {
    let shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 5).await;
    let (_, order) = shop.post("/api/orders", &order_of("LAMP", 2, "tok_ok")).await;
    let id = order["id"].as_str().unwrap();
    let (status, cancelled) =
        shop.post(&format!("/api/orders/{id}/cancel"), &json!({ "reason": "broken" })).await;
    assert_eq!((status, cancelled["status"].as_str()), (200, Some("CANCELLED")));
    shop.until("/api/inventory/stock/LAMP", |stock| stock["onHand"] == 5).await;
    shop.until(&format!("/api/orders/{id}"), |order| order["payment"]["status"] == "REFUNDED").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_shop_goes_on_where_it_was_and_the_books_balance() {
    let mut shop = Shop::start(&[]).await;
    stocked(&shop, "LAMP", 1_000).await;
    for round in 0..5 {
        let order = order_of("LAMP", 1, "tok_slow_5");
        let placed = (0..20).map(|n| shop.send_keyed("/api/orders", &order, format!("order-{round}-{n}")));
        let killed = shop.kill_after(std::time::Duration::from_millis(20 * round));
        // Some answers are lost with the process: their keys find out what became of them.
        let _ = tokio::join!(futures_util::future::join_all(placed), killed);
        shop = shop.restart().await;
        let repeated = (0..20).map(|n| shop.send_keyed("/api/orders", &order, format!("order-{round}-{n}")));
        for answer in futures_util::future::join_all(repeated).await {
            let (status, order) = answer.expect("the shop is open");
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

#[tokio::test(flavor = "multi_thread")]
async fn a_second_shop_on_the_same_folder_is_refused() {
    let shop = Shop::start(&[]).await;
    let output = souk(shop.folder(), &["serve", "--listen", "127.0.0.1:0"]);
    assert_eq!(output.status.code(), Some(1));
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(error.contains("in use by process"), "{error}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_taken_port_is_said_before_anything_is_opened() {
    let shop = Shop::start(&[]).await;
    let folder = tempfile::tempdir().unwrap();
    let taken = shop.address().trim_start_matches("http://").to_owned();
    for (flag, other) in [("--listen", "--internal-listen"), ("--internal-listen", "--listen")] {
        let output = souk(folder.path(), &["serve", flag, &taken, other, "127.0.0.1:0"]);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(1), "{error}");
        assert!(error.contains(&format!("{taken} can't be listened on")), "{error}");
        assert!(!error.contains("ERROR") && !error.contains("WARN"), "{error}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0, "nothing was opened");
    }
}

/// Asked of the machine: with huge pages a shop had twice the memory.
#[cfg(target_os = "linux")]
#[tokio::test(flavor = "multi_thread")]
async fn a_shop_has_no_huge_pages() {
    let shop = Shop::start(&[]).await;
    let status = std::fs::read_to_string(format!("/proc/{}/status", shop.pid())).unwrap();
    assert!(status.lines().any(|line| line.split_whitespace().eq(["THP_enabled:", "0"])), "{status}");
}

#[tokio::test(flavor = "multi_thread")]
async fn wrong_starts_are_refused_in_words() {
    let folder = Shop::start(&[]).await.stop();
    let shop = Shop::start(&[]).await;
    let taken = shop.address().trim_start_matches("http://").to_owned();
    for (arguments, code, word) in [
        (vec!["serve", "--listen", taken.as_str()], 1, "can't be listened on"),
        (vec!["serve", "--listen", "here"], 2, "--listen"),
        (vec!["replay", "nothing"], 2, "products"),
        (vec!["token", "--subject", ""], 2, "--subject"),
        (vec!["token", "--subject", "x", "--ttl", "1€"], 2, "--ttl"),
        (vec!["import", "products", "x", "--url", "here"], 2, "--url"),
        (vec!["events", "stream", "nothing"], 1, "no stream"),
        (vec!["nothing"], 2, "nothing"),
    ] {
        let output = souk(folder.path(), &arguments);
        let error = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}: {error}");
        assert!(error.contains(word), "{arguments:?}: {error}");
    }
}
