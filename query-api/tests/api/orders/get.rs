//! Tests of `GET /api/orders/{id}`.

use serde_json::{Value, json};
use souk_domain::order::event::{Cancelled, Erased, PaymentAwaited, Reason, ReasonCode};
use souk_domain::order::{Order, OrderEvent};
use souk_domain::payment::event::Requested;
use souk_domain::payment::{Payment, PaymentEvent};
use souk_domain::stock::event::{Released, Reserved};
use souk_domain::stock::{Stock, StockEvent};
use souk_domain::{OrderRef, PaymentId};
use souk_eventsourcing::testkit::noon;
use souk_http_shop::{Call, Shop, customer_id, draft, fields, order_id, pence, sku};

// Proves: orders.timeline
#[tokio::test]
async fn an_order_is_shown_with_lines_payment_and_timeline() {
    let shop = Shop::open().await;
    shop.append_order(draft(5, Some("ada"), &["A1", "B2"])).await;
    let payment = PaymentId::of(order_id(5));
    let requested = Requested { order: order_id(5), amount: pence(200), token: "tok_ok".into(), attempt: 1 };
    shop.append(&Payment::stream(payment), PaymentEvent::from(requested)).await;
    shop.project().await;
    let response = shop.customer("ada", Call::get(&format!("/api/orders/{}", order_id(5)))).await;
    let money = |amount: i64| json!({"amount": amount, "currency": "GBP"});
    let line = |sku: &str| {
        json!({"sku": sku, "name": format!("Thing {sku}"), "quantity": 1, "unitPrice": money(100),
            "lineTotal": money(100), "reservation": "PENDING"})
    };
    let expected = json!({
        "id": order_id(5).to_string(), "revision": 0, "position": "2", "status": "PLACED", "customerId": "ada",
        "code": "SK-0005", "lines": [line("A1"), line("B2")], "charges": [], "total": money(200),
        "payment": {"id": payment.to_string(), "status": "PENDING", "owed": null}, "reason": null,
        "timeline": [{"at": "2026-11-21T12:00:00Z", "event": "placed", "detail": null}],
        "placedAt": "2026-11-21T12:00:00Z", "shippingAddress": null, "addressErased": false,
    });
    assert_eq!(response.body, expected);
    assert_eq!(response.headers["etag"], "\"0\"");
    let list = shop.customer("ada", Call::get("/api/orders")).await;
    assert_eq!(list.body, json!({"items": [expected], "nextCursor": null, "position": "2"}));
}

// Proves: orders.undo
#[tokio::test]
async fn a_cancelled_order_shows_the_reason_and_the_failed_line() {
    let shop = Shop::open().await;
    shop.append_order(draft(5, Some("ada"), &["A1", "B2"])).await;
    let reason = Reason { code: ReasonCode::InsufficientStock, detail: "too few".into() };
    let cancelled = Cancelled { reason, failed_skus: vec![sku("B2")], reversal: None };
    shop.append(&Order::stream(order_id(5)), OrderEvent::from(cancelled)).await;
    shop.project().await;
    let response = shop.customer("ada", Call::get(&format!("/api/orders/{}", order_id(5)))).await;
    assert_eq!(response.body["status"], "CANCELLED");
    assert_eq!(response.body["reason"], json!({"code": "insufficient-stock", "detail": "too few"}));
    let lines = response.body["lines"].as_array().unwrap();
    assert_eq!(fields(lines, "reservation"), ["RELEASED", "FAILED"]);
}

#[tokio::test]
async fn lines_of_a_long_order_keep_their_sequence() {
    let shop = Shop::open().await;
    let skus: Vec<String> = (0..2_000).map(|number| format!("S{number}")).collect();
    let texts: Vec<&str> = skus.iter().map(String::as_str).collect();
    shop.append_order(draft(5, Some("ada"), &texts)).await;
    shop.project().await;
    let response = shop.customer("ada", Call::get(&format!("/api/orders/{}", order_id(5)))).await;
    assert_eq!(fields(response.body["lines"].as_array().unwrap(), "sku"), skus);
}

#[tokio::test]
async fn a_line_whose_reservation_staff_released_is_shown_as_released() {
    let shop = Shop::open().await;
    shop.append_order(draft(1, Some("ada"), &["A1", "B2"])).await;
    let stream = |text: &str| Stock::stream(&sku(text));
    let owner = || OrderRef::from(order_id(1));
    for text in ["A1", "B2"] {
        shop.append_count(text, 5).await;
        let reserved = Reserved { order: owner(), quantity: 1, expires_at: noon() };
        shop.append(&stream(text), StockEvent::from(reserved)).await;
    }
    shop.append(&Order::stream(order_id(1)), OrderEvent::from(PaymentAwaited {})).await;
    shop.project().await;
    let path = format!("/api/orders/{}", order_id(1));
    let reservations = async |shop: &Shop| {
        let one = shop.customer("ada", Call::get(&path)).await.body;
        let listed = shop.customer("ada", Call::get("/api/orders")).await.body["items"][0].clone();
        assert_eq!(one["lines"], listed["lines"]);
        let reservation = |line: &Value| line["reservation"].as_str().unwrap().to_owned();
        one["lines"].as_array().unwrap().iter().map(reservation).collect::<Vec<_>>()
    };
    assert_eq!(reservations(&shop).await, ["RESERVED", "RESERVED"]);
    shop.append(&stream("B2"), StockEvent::from(Released { order: owner(), quantity: 1 })).await;
    shop.project().await;
    assert_eq!(reservations(&shop).await, ["RESERVED", "RELEASED"]);
}

#[tokio::test]
async fn the_timeline_shows_an_erasure_once() {
    let shop = Shop::open().await;
    shop.append_order(draft(5, Some("ada"), &["A1"])).await;
    // Staff added data after the erasure of the buyer. It was erased when the order had ended.
    for person in [customer_id("ada").person(), order_id(5).readdressed()] {
        shop.append(&Order::stream(order_id(5)), OrderEvent::from(Erased { person })).await;
    }
    shop.project().await;
    let order = shop.admin(Call::get(&format!("/api/orders/{}", order_id(5)))).await.body;
    assert_eq!(fields(order["timeline"].as_array().unwrap(), "event"), ["placed", "erased"]);
}
