//! Tests of `/api/payments/…`.

mod dead_letters;
mod intents;
mod refunds;
mod webhook;

use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::json;
use sha2::Sha256;
use souk_domain::PaymentId;
use souk_domain::order::OrderCommand;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_eventsourcing::envelope::{Actor, Origin};
use souk_eventsourcing::{CommandRequest, CorrelationId};
use souk_http_shop::{Call, Shop, WEBHOOK_SECRET};
use uuid::Uuid;

/// Places an order of two hearts that waits for payment. Returns its id.
pub(crate) async fn unpaid_order(shop: &Shop) -> String {
    let body = json!({"lines": [{"sku": "heart", "quantity": 2}]});
    let id = shop.customer("ada", Call::post("/api/orders", &body)).await.done(202).text("id");
    shop.as_checkout(&id, OrderCommand::AwaitPayment).await;
    id
}

/// Records the provider's response on a payment.
pub(crate) async fn record(shop: &Shop, payment: &str, command: PaymentCommand) {
    let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
    let id = shop.ports.clock.new_id();
    let origin = Origin::new(id, Actor::new("provider", "test"), CorrelationId::from(Uuid::nil()));
    shop.ports.aggregates.payments.execute(CommandRequest::new(stream, command, origin)).await.unwrap();
}

/// Records that the provider authorized and captured a payment.
pub(crate) async fn capture(shop: &Shop, payment: &str) {
    let authorized =
        PaymentCommand::RecordAuthorized { attempt: 1, provider_payment_id: "p".into(), attempts: 1 };
    record(shop, payment, authorized).await;
    record(shop, payment, PaymentCommand::RecordCaptured { provider_payment_id: "p".into() }).await;
}

pub(crate) fn intent(order: &str) -> Call {
    Call::post("/api/payments/intents", &json!({"orderId": order, "token": "tok_ok"}))
}

pub(crate) fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

pub(crate) fn signed(body: &str) -> Call {
    Call::post_raw("/api/payments/webhook", body)
        .header("x-razorpay-signature", &signature(WEBHOOK_SECRET, body.as_bytes()))
}
