//! Tests of `POST /api/payments/intents`.

use serde_json::json;
use souk_domain::order::OrderCommand;
use souk_domain::payment::PaymentCommand;
use souk_domain::{OrderId, PaymentId};
use souk_http_shop::{Call, Shop};

use crate::payments::{intent, record, unpaid_order};

/// Returns the command that records a declined attempt.
fn failed(attempt: u32) -> PaymentCommand {
    PaymentCommand::RecordFailed {
        attempt,
        provider_payment_id: None,
        code: "x".into(),
        detail: "y".into(),
        attempts: 1,
    }
}

#[tokio::test]
async fn an_order_that_waits_for_payment_is_paid_in_full() {
    let shop = Shop::stocked().await;
    let order = unpaid_order(&shop).await;
    let response = shop.customer("ada", intent(&order)).await.done(201);
    let id = response.text("id");
    assert_eq!(response.header("location"), format!("/api/payments/{id}"));
    assert_eq!(id, PaymentId::of(OrderId(order.parse().unwrap())).to_string());
    shop.customer("ada", intent(&order)).await.refused(409, "payment-in-progress");
    record(&shop, &id, failed(1)).await;
    shop.customer("ada", intent(&order)).await.done(201);
}

#[tokio::test]
async fn only_the_guest_with_the_cart_token_can_pay_an_order() {
    let shop = Shop::stocked().await;
    let own = shop.guest_cart("heart").await;
    let other = shop.guest_cart("heart").await;
    let body = json!({"lines": [{"sku": "heart", "quantity": 1}], "email": "ada@example.org"});
    let order = shop.send(Call::post("/api/orders", &body).cart(&own)).await.done(202).text("id");
    shop.as_checkout(&order, OrderCommand::AwaitPayment).await;
    shop.send(intent(&order)).await.refused(401, "unauthenticated");
    shop.send(intent(&order).cart(&other)).await.refused(404, "not-found");
    shop.customer("ada", intent(&order)).await.refused(404, "not-found");
    shop.send(intent(&order).cart(&own)).await.done(201);
}

#[tokio::test]
async fn an_order_that_does_not_wait_for_payment_refuses_new_attempts_but_not_a_repeat() {
    let shop = Shop::stocked().await;
    let body = json!({"lines": [{"sku": "heart", "quantity": 2}]});
    let placed = shop.customer("ada", Call::post("/api/orders", &body)).await.done(202).text("id");
    shop.customer("ada", intent(&placed)).await.refused(409, "order-not-payable");
    shop.customer("ada", intent(&placed).key("early")).await.refused(409, "order-not-payable");
    let order = unpaid_order(&shop).await;
    let first = shop.customer("ada", intent(&order).key("k")).await.done(201);
    record(&shop, &first.text("id"), PaymentCommand::Abandon { order: OrderId(order.parse().unwrap()) })
        .await;
    shop.as_checkout(&order, OrderCommand::Confirm { paid_outside: true }).await;
    assert_eq!(shop.customer("ada", intent(&order).key("k")).await.done(201).body, first.body);
    shop.customer("ada", intent(&order).key("other")).await.refused(409, "order-not-payable");
    shop.customer("ada", intent(&order)).await.refused(409, "order-not-payable");
    let other_token =
        Call::post("/api/payments/intents", &json!({"orderId": order, "token": "tok_x"})).key("k");
    shop.customer("ada", other_token).await.refused(422, "idempotency-key-reused");
}
