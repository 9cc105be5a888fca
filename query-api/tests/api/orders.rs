use axum::body::Body;
use axum::http::Request;
use serde_json::{Value, json};
use souk_domain::order::event::{Cancelled, PaymentAwaited, Reason, ReasonCode};
use souk_domain::order::{Draft, Order, OrderEvent};
use souk_domain::payment::event::Requested;
use souk_domain::payment::{Payment, PaymentEvent};
use souk_domain::stock::event::{Released, Reserved};
use souk_domain::stock::{Stock, StockEvent};
use souk_domain::{OrderRef, PaymentId};
use souk_eventsourcing::Personal;
use souk_eventsourcing::testkit::noon;
use souk_http::Role;
use sqlx::sqlite::SqliteConnectOptions;
use sqlx::{AssertSqlSafe, SqlitePool};

use crate::shop::{Shop, draft, fields, guest_cart, later, order, pounds, sku};

/// A shop with eight orders, placed a minute apart. Odd numbers are Ada's orders, even numbers Bob's.
async fn shop_with_orders() -> Shop {
    let mut shop = Shop::open().await;
    for number in 1..=8 {
        let buyer = if number % 2 == 1 { "ada" } else { "bob" };
        let placed_at = later(i64::try_from(number).unwrap());
        shop.place_order(Draft { placed_at, ..draft(number, Some(buyer), &["A1", "B2"]) }).await;
    }
    for number in [2, 3] {
        shop.append_event(&Order::stream(order(number)), OrderEvent::from(PaymentAwaited {})).await;
    }
    shop.project().await;
    shop
}

fn ids(numbers: &[u128]) -> Vec<String> {
    numbers.iter().map(|number| order(*number).to_string()).collect()
}

async fn listed(shop: &Shop, query: &str, role: Role, subject: &str) -> Vec<String> {
    shop.get(&format!("/api/orders?{query}")).token(role, subject).send().await.items("id")
}

#[tokio::test]
async fn an_order_is_shown_with_lines_payment_and_timeline() {
    let mut shop = Shop::open().await;
    shop.place_order(draft(5, Some("ada"), &["A1", "B2"])).await;
    let payment = PaymentId::of(order(5));
    let requested = Requested { order: order(5), amount: pounds(200), token: "tok_ok".into(), attempt: 1 };
    shop.append_event(&Payment::stream(payment), PaymentEvent::from(requested)).await;
    shop.project().await;
    let response = shop.get(&format!("/api/orders/{}", order(5))).token(Role::Customer, "ada").send().await;
    let money = |amount: i64| json!({"amount": amount, "currency": "GBP"});
    let line = |sku: &str| {
        json!({"sku": sku, "name": format!("Thing {sku}"), "quantity": 1, "unitPrice": money(100),
            "lineTotal": money(100), "reservation": "PENDING"})
    };
    let expected = json!({
        "id": order(5).to_string(), "revision": 0, "position": "2", "status": "PLACED", "customerId": "ada",
        "code": "SK-0005", "lines": [line("A1"), line("B2")], "charges": [], "total": money(200),
        "payment": {"id": payment.to_string(), "status": "PENDING", "owed": null}, "reason": null,
        "timeline": [{"at": "2026-11-21T12:00:00Z", "event": "placed", "detail": null}],
        "placedAt": "2026-11-21T12:00:00Z", "shippingAddress": null, "addressErased": false,
    });
    assert_eq!(response.json, expected);
    assert_eq!(response.headers["etag"], "\"0\"");
    let list = shop.get("/api/orders").token(Role::Customer, "ada").send().await;
    assert_eq!(list.json, json!({"items": [expected], "nextCursor": null, "position": "2"}));
}

#[tokio::test]
async fn a_cancelled_order_shows_the_reason_and_the_failed_line() {
    let mut shop = Shop::open().await;
    shop.place_order(draft(5, Some("ada"), &["A1", "B2"])).await;
    let reason = Reason { code: ReasonCode::InsufficientStock, detail: "too few".into() };
    let cancelled = Cancelled { reason, failed_skus: vec![sku("B2")], reversal: None };
    shop.append_event(&Order::stream(order(5)), OrderEvent::from(cancelled)).await;
    shop.project().await;
    let response = shop.get(&format!("/api/orders/{}", order(5))).token(Role::Customer, "ada").send().await;
    assert_eq!(response.json["status"], "CANCELLED");
    assert_eq!(response.json["reason"], json!({"code": "insufficient-stock", "detail": "too few"}));
    let lines = response.json["lines"].as_array().unwrap();
    assert_eq!(fields(lines, "reservation"), ["RELEASED", "FAILED"]);
}

#[tokio::test]
async fn an_order_of_another_customer_is_not_found() {
    let shop = shop_with_orders().await;
    let path = format!("/api/orders/{}", order(1));
    shop.get(&path).token(Role::Customer, "bob").send().await.assert_problem(404, "not-found");
    shop.get(&path).send().await.assert_problem(401, "unauthenticated");
    assert_eq!(shop.get(&path).token(Role::Admin, "ops").send().await.status, 200);
    shop.get("/api/orders/nonsense").token(Role::Admin, "ops").send().await.assert_problem(404, "not-found");
}

#[tokio::test]
async fn lines_of_another_customers_order_are_not_read() {
    let mut shop = Shop::open().await;
    shop.place_order(draft(5, Some("ada"), &["A1"])).await;
    let mut guests = draft(6, None, &["A1"]);
    guests.cart = Some(guest_cart(9));
    guests.email = Some(Personal::new(guests.order.guest(), "email", "ada@example.org".to_owned()));
    shop.place_order(guests).await;
    shop.project().await;
    // From here on, a request that reads a line gets 500.
    corrupt_lines(&shop).await;
    let path = |number| format!("/api/orders/{}", order(number));
    for number in [5, 6] {
        shop.get(&path(number)).token(Role::Customer, "bob").send().await.assert_problem(404, "not-found");
        shop.get(&path(number)).cart(guest_cart(8)).send().await.assert_problem(404, "not-found");
        assert_eq!(shop.get(&path(number)).token(Role::Admin, "ops").send().await.status, 500);
    }
    assert_eq!(shop.get(&path(5)).token(Role::Customer, "ada").send().await.status, 500);
    assert_eq!(shop.get(&path(6)).cart(guest_cart(9)).send().await.status, 500);
    for (email, status) in [("bob@example.org", 404), ("ada@example.org", 500)] {
        let body = json!({"code": "SK-0006", "email": email}).to_string();
        let request = Request::post("/api/orders/lookup").header("x-api-version", "v1");
        let request = request.header("content-type", "application/json").body(Body::from(body)).unwrap();
        assert_eq!(shop.send(request).await.status, status, "{email}");
    }
}

/// Makes the lines of every order unreadable.
async fn corrupt_lines(shop: &Shop) {
    let file = shop.folder.path().join(souk_sqlite_read_models::READ_MODELS_FILE);
    let pool = SqlitePool::connect_with(SqliteConnectOptions::new().filename(file)).await.unwrap();
    let table_name = "SELECT name FROM sqlite_master WHERE type = 'table' AND name LIKE 'order_lines_v%'";
    let table: String = sqlx::query_scalar(table_name).fetch_one(&pool).await.unwrap();
    let corrupt = AssertSqlSafe(format!("UPDATE {table} SET doc = x'00'"));
    assert_eq!(sqlx::query(corrupt).execute(&pool).await.unwrap().rows_affected(), 2);
}

#[tokio::test]
async fn a_guest_sees_orders_placed_from_their_cart() {
    let mut shop = Shop::open().await;
    shop.place_order(Draft { cart: Some(guest_cart(9)), ..draft(5, None, &["A1"]) }).await;
    shop.place_order(Draft { cart: Some(guest_cart(9)), ..draft(6, Some("ada"), &["A1"]) }).await;
    shop.place_order(draft(7, None, &["A1"])).await;
    shop.project().await;
    let status = async |number, cart| {
        shop.get(&format!("/api/orders/{}", order(number))).cart(guest_cart(cart)).send().await.status
    };
    assert_eq!((status(5, 9).await, status(5, 8).await), (200, 404));
    assert_eq!((status(6, 9).await, status(7, 9).await), (404, 404));
    assert_eq!(shop.get(&format!("/api/orders/{}", order(7))).send().await.status, 401);
}

#[tokio::test]
async fn customers_list_their_own_orders_newest_first() {
    let shop = shop_with_orders().await;
    assert_eq!(listed(&shop, "", Role::Customer, "ada").await, ids(&[7, 5, 3, 1]));
    assert_eq!(listed(&shop, "status=PAYMENT_PENDING", Role::Customer, "ada").await, ids(&[3]));
    assert_eq!(listed(&shop, "customerId=ada", Role::Customer, "ada").await, ids(&[7, 5, 3, 1]));
    shop.get("/api/orders?customerId=bob")
        .token(Role::Customer, "ada")
        .send()
        .await
        .assert_problem(403, "forbidden");
    shop.get("/api/orders").send().await.assert_problem(401, "unauthenticated");
}

#[tokio::test]
async fn admins_filter_all_orders() {
    let shop = shop_with_orders().await;
    let admin = async |query| listed(&shop, query, Role::Admin, "ops").await;
    assert_eq!(admin("").await, ids(&[8, 7, 6, 5, 4, 3, 2, 1]));
    assert_eq!(admin("customerId=bob").await, ids(&[8, 6, 4, 2]));
    assert_eq!(admin("status=PAYMENT_PENDING").await, ids(&[3, 2]));
    assert_eq!(admin("status=PAYMENT_PENDING&customerId=bob").await, ids(&[2]));
    assert_eq!(admin("from=2026-11-21T12:03:00Z&to=2026-11-21T12:05:00Z").await, ids(&[5, 4, 3]));
    assert_eq!(admin("from=2026-11-21&to=2026-11-21").await.len(), 8);
    assert_eq!(admin("to=2026-11-20").await, ids(&[]));
    assert_eq!(admin("from=2026-11-22").await, ids(&[]));
}

#[tokio::test]
async fn pages_have_every_order_once_with_all_its_lines() {
    let shop = shop_with_orders().await;
    for path in [
        "/api/orders",
        "/api/orders?status=PLACED",
        "/api/orders?customerId=ada",
        "/api/orders?to=2026-11-21",
    ] {
        let pages = shop.pages(path, Role::Admin).await;
        let join = if path.contains('?') { "&" } else { "?" };
        let whole = shop.get(&format!("{path}{join}limit=100")).token(Role::Admin, "ops").send().await;
        assert_eq!(fields(&pages, "id"), whole.items("id"), "{path}");
        assert!(pages.iter().all(|order| order["lines"].as_array().unwrap().len() == 2));
    }
}

#[tokio::test]
async fn an_order_placed_during_paging_does_not_shift_or_repeat_other_orders() {
    let mut shop = shop_with_orders().await;
    let first = shop.get("/api/orders?limit=3").token(Role::Admin, "ops").send().await;
    shop.place_order(Draft { placed_at: later(9), ..draft(9, Some("ada"), &["A1"]) }).await;
    shop.project().await;
    let cursor = first.json["nextCursor"].as_str().unwrap();
    let second =
        shop.get(&format!("/api/orders?limit=3&cursor={cursor}")).token(Role::Admin, "ops").send().await;
    assert_eq!((first.items("id"), second.items("id")), (ids(&[8, 7, 6]), ids(&[5, 4, 3])));
}

#[tokio::test]
async fn lines_of_a_long_order_keep_their_sequence() {
    let mut shop = Shop::open().await;
    let skus: Vec<String> = (0..2_000).map(|number| format!("S{number}")).collect();
    let texts: Vec<&str> = skus.iter().map(String::as_str).collect();
    shop.place_order(draft(5, Some("ada"), &texts)).await;
    shop.project().await;
    let response = shop.get(&format!("/api/orders/{}", order(5))).token(Role::Customer, "ada").send().await;
    assert_eq!(fields(response.json["lines"].as_array().unwrap(), "sku"), skus);
}

#[tokio::test]
async fn invalid_parameters_are_rejected() {
    let shop = shop_with_orders().await;
    for query in [
        "status=DONE",
        "from=yesterday",
        "to=x",
        "from=2026-11-22&to=2026-11-21",
        "limit=0",
        "cursor=x",
        "colour=red",
        "customerId=",
    ] {
        let response = shop.get(&format!("/api/orders?{query}")).token(Role::Admin, "ops").send().await;
        response.assert_problem(400, "invalid-parameter");
    }
}

#[tokio::test]
async fn a_line_whose_reservation_staff_released_is_shown_as_released() {
    let mut shop = Shop::open().await;
    shop.place_order(draft(1, Some("ada"), &["A1", "B2"])).await;
    let stream = |text: &str| Stock::stream(&sku(text));
    let owner = || OrderRef::from(order(1));
    for text in ["A1", "B2"] {
        shop.count_stock(text, 5).await;
        let reserved = Reserved { order: owner(), quantity: 1, expires_at: noon() };
        shop.append_event(&stream(text), StockEvent::from(reserved)).await;
    }
    shop.append_event(&Order::stream(order(1)), OrderEvent::from(PaymentAwaited {})).await;
    shop.project().await;
    let path = format!("/api/orders/{}", order(1));
    let reservations = async |shop: &Shop| {
        let one = shop.get(&path).token(Role::Customer, "ada").send().await.json;
        let listed =
            shop.get("/api/orders").token(Role::Customer, "ada").send().await.json["items"][0].clone();
        assert_eq!(one["lines"], listed["lines"]);
        let reservation = |line: &Value| line["reservation"].as_str().unwrap().to_owned();
        one["lines"].as_array().unwrap().iter().map(reservation).collect::<Vec<_>>()
    };
    assert_eq!(reservations(&shop).await, ["RESERVED", "RESERVED"]);
    shop.append_event(&stream("B2"), StockEvent::from(Released { order: owner(), quantity: 1 })).await;
    shop.project().await;
    assert_eq!(reservations(&shop).await, ["RESERVED", "RELEASED"]);
}
