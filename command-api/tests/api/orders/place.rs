//! Tests of `POST /api/orders` with lines.

use serde_json::{Value, json};
use souk_domain::OrderId;
use souk_domain::order::event::{Reason, ReasonCode};
use souk_domain::order::{Order, OrderCommand, OrderState};
use souk_http_shop::{Call, Shop};

fn of_hearts(quantity: u32) -> Value {
    json!({"lines": [{"sku": "heart", "quantity": quantity}], "payment": {"token": "tok_ok"}})
}

fn order(body: &Value) -> Call {
    Call::post("/api/orders", body)
}

async fn state(shop: &Shop, id: &str) -> OrderState {
    let stream = Order::stream(OrderId(id.parse().unwrap()));
    (*shop.ports.aggregates.orders.load(&stream).await.unwrap().unwrap().state).clone()
}

#[tokio::test]
async fn a_new_order_gets_a_code_and_a_status_at_once() {
    let shop = Shop::stocked().await;
    let response = shop.customer("ada", order(&of_hearts(2))).await.done(202);
    let id = response.text("id");
    assert_eq!(response.header("location"), format!("/api/orders/{id}"));
    assert_eq!((response.header("etag"), response.text("status").as_str()), ("\"0\"", "PLACED"));
    assert!(response.text("code").starts_with("SK-"));
    let state = state(&shop, &id).await;
    assert_eq!((state.total().unwrap().amount, state.customer().unwrap().as_str()), (510, "ada"));
}

// Proves: orders.waiting
#[tokio::test]
async fn a_wait_ends_when_the_order_settles() {
    let shop = Shop::stocked().await;
    let request = shop.customer("ada", order(&of_hearts(1)).header("prefer", "wait=30"));
    let settling = async {
        let stream = loop {
            let placed = shop.streams_of("order").await;
            match placed.into_iter().next() {
                Some(stream) => break stream,
                None => tokio::task::yield_now().await,
            }
        };
        shop.as_checkout(stream.id(), OrderCommand::AwaitPayment).await;
        let reason = Reason { code: ReasonCode::InsufficientStock, detail: "".into() };
        shop.as_checkout(stream.id(), OrderCommand::Fail { reason, failed_skus: Vec::new() }).await;
    };
    let (response, ()) = tokio::join!(request, settling);
    let response = response.done(201);
    assert_eq!((response.text("status").as_str(), &response.body["revision"]), ("CANCELLED", &json!(2)));
}

// Proves: operations.stop-ends-waits
#[tokio::test]
async fn a_wait_ends_at_once_when_the_shop_stops_or_the_wait_is_zero() {
    let shop = Shop::stocked().await;
    shop.customer("ada", order(&of_hearts(1)).header("prefer", "wait=0")).await.done(202);
    shop.stop.send_replace(true);
    shop.customer("ada", order(&of_hearts(1)).header("prefer", "wait=30")).await.done(202);
    shop.customer("ada", order(&of_hearts(1)).header("prefer", "wait=31"))
        .await
        .refused(400, "invalid-parameter");
}

// Proves: orders.placed-once
#[tokio::test]
async fn a_repeat_with_a_key_returns_the_same_order_with_its_current_status() {
    let shop = Shop::stocked().await;
    let call = || order(&of_hearts(1)).key("k");
    let first = shop.customer("ada", call()).await.done(202);
    shop.as_checkout(&first.text("id"), OrderCommand::AwaitPayment).await;
    shop.as_checkout(&first.text("id"), OrderCommand::Confirm { paid_outside: false }).await;
    for product in shop.streams_of("product").await {
        shop.admin(Call::delete(&format!("/api/products/{}", product.id()))).await.done(200);
    }
    let again = shop.customer("ada", call().header("prefer", "wait=10")).await.done(201);
    assert_eq!((again.text("id"), again.text("status").as_str()), (first.text("id"), "CONFIRMED"));
    shop.customer("ada", order(&of_hearts(2)).key("k")).await.refused(422, "idempotency-key-reused");
    shop.customer("ada", order(&of_hearts(1)))
        .await
        .refused(422, "validation-failed")
        .at("/lines/0/sku", "unknown-sku");
}

// Proves: orders.merged-lines
#[tokio::test]
async fn lines_with_the_same_sku_and_price_are_combined() {
    let shop = Shop::stocked().await;
    let price = json!({"amount": 200, "currency": "GBP"});
    let body = json!({"lines": [
        {"sku": "heart", "quantity": 1}, {"sku": "star", "quantity": 1},
        {"sku": " heart ", "quantity": 2}, {"sku": "heart", "quantity": 1, "unitPrice": price},
    ]});
    let id = shop.admin(order(&body)).await.done(202).text("id");
    assert_eq!(state(&shop, &id).await.total().unwrap().amount, 3 * 255 + 1000 + 200);
}

// Proves: orders.orders-for-others
#[tokio::test]
async fn only_admins_order_for_other_customers_and_set_prices() {
    let shop = Shop::stocked().await;
    let mut body = of_hearts(1);
    body["customerId"] = json!("14911");
    shop.customer("ada", order(&body)).await.refused(403, "forbidden");
    let id = shop.admin(order(&body)).await.done(202).text("id");
    assert_eq!(state(&shop, &id).await.customer().unwrap().as_str(), "14911");
    let mut priced = of_hearts(1);
    priced["lines"][0]["unitPrice"] = json!({"amount": 1, "currency": "GBP"});
    shop.customer("ada", order(&priced)).await.refused(403, "forbidden");
    priced["lines"][0]["unitPrice"]["currency"] = json!("EUR");
    shop.admin(order(&priced))
        .await
        .refused(422, "validation-failed")
        .at("/lines/0/unitPrice/currency", "currency-mismatch");
    priced["lines"][0]["unitPrice"] = json!({"amount": -1, "currency": "GBP"});
    shop.admin(order(&priced))
        .await
        .refused(422, "validation-failed")
        .at("/lines/0/unitPrice/amount", "out-of-range");
}

// Proves: orders.guest-order
#[tokio::test]
async fn a_guest_orders_with_cart_token_and_email() {
    let shop = Shop::stocked().await;
    let mut body = of_hearts(1);
    shop.send(order(&body)).await.refused(401, "unauthenticated");
    let token = shop.guest_cart("heart").await;
    shop.send(order(&body).cart(&token)).await.refused(422, "validation-failed").at("/email", "missing");
    for email in ["ada", "ada@", "@example.org", "ada@example", "a b@example.org", "a@b@example.org"] {
        body["email"] = json!(email);
        shop.send(order(&body).cart(&token))
            .await
            .refused(422, "validation-failed")
            .at("/email", "invalid-email");
    }
    body["email"] = json!("Ada@Example.org");
    let id = shop.send(order(&body).cart(&token)).await.done(202).text("id");
    assert!(state(&shop, &id).await.customer().is_none());
}
