use std::fmt::Write;

use hmac::{Hmac, KeyInit, Mac};
use serde_json::{Value, json};
use sha2::Sha256;
use souk_domain::PaymentId;
use souk_domain::payment::{Payment, PaymentStatus};

use crate::payments::waiting;
use crate::shop::{Call, TestShop, WEBHOOK_SECRET};

fn signature(secret: &str, body: &[u8]) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
    mac.update(body);
    mac.finalize().into_bytes().iter().fold(String::new(), |mut hex, byte| {
        write!(hex, "{byte:02x}").unwrap();
        hex
    })
}

fn signed(body: &str) -> Call {
    Call::post_raw("/api/payments/webhook", body)
        .header("x-razorpay-signature", &signature(WEBHOOK_SECRET, body.as_bytes()))
}

fn event(id: &str, kind: &str, payment: &str, at: &str) -> Value {
    json!({"id": id, "type": kind, "providerPaymentId": payment, "createdAt": at})
}

const NOW: &str = "2026-11-21T12:00:00Z";

/// A payment that waits for its webhook.
async fn pending(shop: &TestShop) -> String {
    let order = waiting(shop).await;
    let intent = json!({"orderId": order, "token": "tok_webhook"});
    shop.customer("ada", Call::post("/api/payments/intents", &intent)).await.done(201).text("id")
}

async fn status(shop: &TestShop, payment: &str) -> Option<PaymentStatus> {
    let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
    shop.shop.payments.load(&stream).await.unwrap().unwrap().state.status()
}

#[tokio::test]
async fn an_authorization_is_taken_in_once_however_often_it_comes() {
    let shop = TestShop::stocked().await;
    let payment = pending(&shop).await;
    let body = event("evt_1", "payment.authorized", &format!("pay_{payment}"), NOW).to_string();
    for _ in 0..3 {
        shop.send(signed(&body)).await.done(200);
    }
    assert_eq!(status(&shop, &payment).await, Some(PaymentStatus::Authorized));
    let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
    assert_eq!(shop.event_types(&stream), ["payment.requested", "payment.authorized"]);
    // A late failure of the same payment undoes nothing.
    let late = event("evt_0", "payment.failed", &format!("pay_{payment}"), NOW).to_string();
    shop.send(signed(&late)).await.done(200);
    assert_eq!(status(&shop, &payment).await, Some(PaymentStatus::Authorized));
}

#[tokio::test]
async fn a_late_failure_of_an_earlier_attempt_does_not_fail_the_present_one() {
    let shop = TestShop::stocked().await;
    let order = waiting(&shop).await;
    let intent = || {
        let body = json!({"orderId": order, "token": "tok_webhook"});
        shop.customer("ada", Call::post("/api/payments/intents", &body))
    };
    let payment = intent().await.done(201).text("id");
    let first = format!("pay_{payment}");
    shop.send(signed(&event("evt_1", "payment.failed", &first, NOW).to_string())).await.done(200);
    assert_eq!(status(&shop, &payment).await, Some(PaymentStatus::Failed));
    intent().await.done(201);
    shop.send(signed(&event("evt_2", "payment.failed", &first, NOW).to_string())).await.done(200);
    assert_eq!(status(&shop, &payment).await, Some(PaymentStatus::Pending), "it is of the first attempt");
    let second = format!("pay_{payment}#2");
    shop.send(signed(&event("evt_3", "payment.authorized", &second, NOW).to_string())).await.done(200);
    assert_eq!(status(&shop, &payment).await, Some(PaymentStatus::Authorized));
}

#[tokio::test]
async fn a_wrong_signature_is_refused_before_anything_is_read() {
    let shop = TestShop::stocked().await;
    let body = event("evt_1", "payment.authorized", "pay_x", NOW).to_string();
    let path = "/api/payments/webhook";
    let right = signature(WEBHOOK_SECRET, body.as_bytes());
    let (other, shortened) = (signature("another secret", body.as_bytes()), &right[..62]);
    for wrong in [other.as_str(), shortened, "", "zz", "é"] {
        let call = Call::post_raw(path, body.clone()).header("x-razorpay-signature", wrong);
        shop.send(call).await.refused(401, "invalid-signature");
    }
    shop.send(Call::post_raw(path, body.clone())).await.refused(401, "invalid-signature");
    let changed = body.replace("evt_1", "evt_2");
    shop.send(Call::post_raw(path, changed).header("x-razorpay-signature", &right))
        .await
        .refused(401, "invalid-signature");
    shop.send(Call::post_raw(path, "{")).await.refused(401, "invalid-signature");
    shop.send(signed("{")).await.refused(400, "malformed-body");
}

#[tokio::test]
async fn what_no_payment_could_be_told_is_not_kept_for_later() {
    let shop = TestShop::stocked().await;
    let unknown = signed(&event("a", "payment.dreamt", "pay_x", NOW).to_string());
    shop.send(unknown).await.refused(422, "validation-failed").at("/type", "unknown-type");
}

#[tokio::test]
async fn an_event_is_taken_for_seven_days_and_not_from_the_future() {
    let shop = TestShop::stocked().await;
    let at = |id: &str, at: &str| signed(&event(id, "payment.authorized", "pay_x", at).to_string());
    shop.send(at("a", "2026-11-14T12:00:00Z")).await.done(202);
    shop.send(at("b", "2026-11-14T11:59:59Z"))
        .await
        .refused(422, "validation-failed")
        .at("/createdAt", "out-of-range");
    shop.send(at("c", "2026-11-21T12:05:00Z")).await.done(202);
    shop.send(at("d", "2026-11-21T12:05:01Z"))
        .await
        .refused(422, "validation-failed")
        .at("/createdAt", "out-of-range");
    shop.send(at("e", "yesterday")).await.refused(422, "validation-failed").at("/createdAt", "invalid-value");
}

#[tokio::test]
async fn a_webhook_about_an_unknown_payment_is_kept_once() {
    let shop = TestShop::stocked().await;
    let unknown = PaymentId(uuid::Uuid::from_u128(5));
    for (id, payment) in [("evt_1", "somebody-elses".to_owned()), ("evt_2", format!("pay_{unknown}"))] {
        let body = event(id, "payment.authorized", &payment, NOW).to_string();
        shop.send(signed(&body)).await.done(202);
        shop.send(signed(&body)).await.done(200);
        let stream = souk_eventsourcing::StreamName::new("webhook", &payment);
        assert_eq!(shop.event_types(&stream), ["webhook.kept"]);
    }
    let payment = pending(&shop).await;
    let body = event("evt_3", "payment.celebrated", &format!("pay_{payment}"), NOW).to_string();
    shop.send(signed(&body)).await.refused(422, "validation-failed").at("/type", "unknown-type");
    let nameless = event("", "payment.authorized", "pay_x", NOW).to_string();
    shop.send(signed(&nameless)).await.refused(422, "validation-failed").at("/id", "invalid-id");
}
