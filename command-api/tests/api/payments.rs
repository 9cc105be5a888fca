use serde_json::json;
use souk_domain::order::OrderCommand;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::{OrderId, PaymentId, RefundId};
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::{CommandRequest, CorrelationId};
use uuid::Uuid;

use crate::shop::{Call, TestShop};

/// Places an order of two hearts that waits for payment. Returns its id.
pub(crate) async fn unpaid_order(shop: &TestShop) -> String {
    let body = json!({"lines": [{"sku": "heart", "quantity": 2}]});
    let id = shop.customer("ada", Call::post("/api/orders", &body)).await.done(202).text("id");
    shop.as_checkout(&id, OrderCommand::AwaitPayment).await;
    id
}

/// Records the provider's response on a payment.
pub(crate) async fn record(shop: &TestShop, payment: &str, command: PaymentCommand) {
    let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
    let id = souk_eventsourcing::Clock::new_id(&*shop.clock);
    let origin = Origin::new(id, Actor::new("provider", "test"), CorrelationId::from(Uuid::nil()));
    shop.ports.aggregates.payments.execute(CommandRequest::new(stream, command, origin)).await.unwrap();
}

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

/// Records that the provider authorized and captured a payment.
pub(crate) async fn capture(shop: &TestShop, payment: &str) {
    let authorized =
        PaymentCommand::RecordAuthorized { attempt: 1, provider_payment_id: "p".into(), attempts: 1 };
    record(shop, payment, authorized).await;
    record(shop, payment, PaymentCommand::RecordCaptured { provider_payment_id: "p".into() }).await;
}

fn intent(order: &str) -> Call {
    Call::post("/api/payments/intents", &json!({"orderId": order, "token": "tok_ok"}))
}

#[tokio::test]
async fn an_order_that_waits_for_payment_is_paid_in_full() {
    let shop = TestShop::stocked().await;
    let order = unpaid_order(&shop).await;
    let response = shop.customer("ada", intent(&order)).await.done(201);
    let id = response.text("id");
    assert_eq!(response.head("location"), format!("/api/payments/{id}"));
    assert_eq!(id, PaymentId::of(OrderId(order.parse().unwrap())).to_string());
    shop.customer("ada", intent(&order)).await.refused(409, "payment-in-progress");
    record(&shop, &id, failed(1)).await;
    shop.customer("ada", intent(&order)).await.done(201);
}

#[tokio::test]
async fn only_the_guest_with_the_cart_token_can_pay_an_order() {
    let shop = TestShop::stocked().await;
    let item = json!({"sku": "heart", "quantity": 1});
    let token = |response: &crate::shop::TestResponse| response.head("x-cart-token").to_owned();
    let own = token(&shop.send(Call::post("/api/cart/items", &item)).await.done(200));
    let other = token(&shop.send(Call::post("/api/cart/items", &item)).await.done(200));
    let body = json!({"lines": [item], "email": "ada@example.org"});
    let order = shop.send(Call::post("/api/orders", &body).cart(&own)).await.done(202).text("id");
    shop.as_checkout(&order, OrderCommand::AwaitPayment).await;
    shop.send(intent(&order)).await.refused(401, "unauthenticated");
    shop.send(intent(&order).cart(&other)).await.refused(404, "not-found");
    shop.customer("ada", intent(&order)).await.refused(404, "not-found");
    shop.send(intent(&order).cart(&own)).await.done(201);
}

#[tokio::test]
async fn an_order_that_does_not_wait_for_payment_refuses_new_attempts_but_not_a_repeat() {
    let shop = TestShop::stocked().await;
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

#[tokio::test]
async fn only_admins_refund_and_never_more_than_was_captured() {
    let shop = TestShop::stocked().await;
    let order = unpaid_order(&shop).await;
    let payment = shop.customer("ada", intent(&order)).await.done(201).text("id");
    let path = format!("/api/payments/{payment}/refunds");
    let refund = |amount: i64, currency: &str| {
        Call::post(&path, &json!({"amount": {"amount": amount, "currency": currency}, "reason": "broken"}))
    };
    shop.customer("ada", refund(1, "GBP")).await.refused(403, "forbidden");
    shop.admin(refund(1, "GBP")).await.refused(409, "payment-not-captured");
    capture(&shop, &payment).await;
    for amount in [0, -1] {
        shop.admin(refund(amount, "GBP"))
            .await
            .refused(422, "validation-failed")
            .at("/amount/amount", "invalid-amount");
    }
    shop.admin(refund(1, "EUR"))
        .await
        .refused(422, "validation-failed")
        .at("/amount/currency", "currency-mismatch");
    shop.admin(refund(1, "XXQ"))
        .await
        .refused(422, "validation-failed")
        .at("/amount/currency", "unknown-currency");
    shop.admin(refund(i64::MAX, "GBP")).await.refused(409, "refund-exceeds-payment");
    let first = shop.admin(refund(500, "GBP").key("r")).await.done(201);
    assert_eq!(shop.admin(refund(500, "GBP").key("r")).await.done(201).body, first.body);
    shop.admin(refund(11, "GBP")).await.refused(409, "refund-exceeds-payment");
    shop.admin(Call::post(&path, &json!({"reason": "the rest"}))).await.done(201);
    let absent = "/api/payments/0199c2aa-bbcc-7000-8000-00000000ffff/refunds";
    shop.admin(Call::post(absent, &json!({"reason": "x"}))).await.refused(404, "not-found");
    shop.admin(Call::post("/api/payments/x/refunds", &json!({"reason": "x"})))
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn a_dead_letter_is_requeued_or_skipped_by_an_admin_once() {
    let shop = TestShop::stocked().await;
    let order = unpaid_order(&shop).await;
    let payment = shop.customer("ada", intent(&order)).await.done(201).text("id");
    capture(&shop, &payment).await;
    let refund = Call::post(&format!("/api/payments/{payment}/refunds"), &json!({"reason": "broken"}));
    let refund = shop.admin(refund).await.done(201).text("id");
    let letter = |verb: &str| format!("/api/payments/provider/dead-letters/{refund}/{verb}");
    let requeue = || Call::post_raw(&letter("requeue"), "");
    let skip = |reason: &str| Call::post(&letter("skip"), &json!({"reason": reason}));
    shop.admin(requeue()).await.refused(404, "not-found");
    let refused = PaymentCommand::RecordRefundFailed {
        refund: RefundId(refund.parse().unwrap()),
        code: "refund-declined".into(),
        detail: "the account is closed".into(),
    };
    record(&shop, &payment, refused).await;
    shop.customer("ada", requeue()).await.refused(403, "forbidden");
    shop.customer("ada", skip("x")).await.refused(403, "forbidden");
    shop.admin(skip("")).await.refused(422, "validation-failed").at("/reason", "invalid-length");
    let first = shop.admin(requeue().key("again")).await.done(200);
    assert_eq!(shop.admin(requeue().key("again")).await.done(200).body, first.body);
    shop.admin(requeue()).await.refused(404, "not-found");
    shop.admin(skip("bank transfer")).await.refused(404, "not-found");
    let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
    let requested = shop.event_types(&stream).into_iter().filter(|kind| kind == "payment.refund-requested");
    assert_eq!(requested.count(), 2, "it is sent once more, as a new refund");
    let absent = "/api/payments/provider/dead-letters/0199c2aa-bbcc-7000-8000-00000000ffff/requeue";
    shop.admin(Call::post_raw(absent, "")).await.refused(404, "not-found");
    shop.admin(Call::post_raw("/api/payments/provider/dead-letters/x/requeue", ""))
        .await
        .refused(404, "not-found");
}

#[tokio::test]
async fn a_dead_letter_that_was_settled_in_another_way_is_closed() {
    let shop = TestShop::stocked().await;
    let order = unpaid_order(&shop).await;
    let payment = shop.customer("ada", intent(&order)).await.done(201).text("id");
    capture(&shop, &payment).await;
    let refund = Call::post(&format!("/api/payments/{payment}/refunds"), &json!({"reason": "broken"}));
    let refund = shop.admin(refund).await.done(201).text("id");
    let refused = PaymentCommand::RecordRefundFailed {
        refund: RefundId(refund.parse().unwrap()),
        code: "refund-declined".into(),
        detail: String::new(),
    };
    record(&shop, &payment, refused).await;
    let path = format!("/api/payments/provider/dead-letters/{refund}/skip");
    shop.admin(Call::post(&path, &json!({"reason": "bank transfer"}))).await.done(200);
    let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
    assert_eq!(shop.event_types(&stream).last().map(String::as_str), Some("payment.debt-settled"));
    let again = Call::post(&format!("/api/payments/{payment}/refunds"), &json!({}));
    shop.admin(again).await.refused(409, "refund-exceeds-payment");
}

#[tokio::test]
async fn a_withdrawn_dead_letter_can_be_refunded_again() {
    let shop = TestShop::stocked().await;
    let order = unpaid_order(&shop).await;
    let payment = shop.customer("ada", intent(&order)).await.done(201).text("id");
    capture(&shop, &payment).await;
    let refund = || Call::post(&format!("/api/payments/{payment}/refunds"), &json!({"reason": "broken"}));
    let first = shop.admin(refund()).await.done(201).text("id");
    let refused = PaymentCommand::RecordRefundFailed {
        refund: RefundId(first.parse().unwrap()),
        code: "refund-declined".into(),
        detail: String::new(),
    };
    record(&shop, &payment, refused).await;
    shop.admin(refund()).await.refused(409, "refund-exceeds-payment");
    let path = format!("/api/payments/provider/dead-letters/{first}/skip");
    let withdraw = Call::post(&path, &json!({"reason": "the buyer keeps it", "withdrawn": true}));
    shop.admin(withdraw).await.done(200);
    shop.admin(refund()).await.done(201);
}
