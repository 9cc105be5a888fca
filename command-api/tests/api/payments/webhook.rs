//! Tests of `POST /api/payments/webhook`.

use serde_json::{Value, json};
use souk_domain::payment::{Payment, PaymentCommand, PaymentStatus};
use souk_domain::{PaymentId, RefundId};
use souk_http_shop::{Call, Shop, WEBHOOK_SECRET};

use crate::payments::{record, signature, signed, unpaid_order};

fn event(id: &str, kind: &str, payment: &str, at: &str) -> Value {
    json!({"id": id, "type": kind, "providerPaymentId": payment, "createdAt": at})
}

const NOW: &str = "2026-11-21T12:00:00Z";

/// Creates a payment that waits for its webhook. Returns its id.
async fn pending(shop: &Shop) -> String {
    let order = unpaid_order(shop).await;
    let intent = json!({"orderId": order, "token": "tok_webhook"});
    shop.customer("ada", Call::post("/api/payments/intents", &intent)).await.done(201).text("id")
}

async fn status(shop: &Shop, payment: &str) -> Option<PaymentStatus> {
    let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
    shop.ports.aggregates.payments.load(&stream).await.unwrap().unwrap().state.status()
}

// Proves: payments.answers-count-once
#[tokio::test]
async fn a_repeated_authorization_is_applied_once() {
    let shop = Shop::stocked().await;
    let payment = pending(&shop).await;
    let body = event("evt_1", "payment.authorized", &format!("pay_{payment}"), NOW).to_string();
    for _ in 0..3 {
        shop.send(signed(&body)).await.done(200);
    }
    assert_eq!(status(&shop, &payment).await, Some(PaymentStatus::Authorized));
    let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
    assert_eq!(shop.event_types(&stream).await, ["payment.requested", "payment.authorized"]);
    // A late failure of the same payment changes nothing.
    let late = event("evt_0", "payment.failed", &format!("pay_{payment}"), NOW).to_string();
    shop.send(signed(&late)).await.done(200);
    assert_eq!(status(&shop, &payment).await, Some(PaymentStatus::Authorized));
}

#[tokio::test]
async fn a_late_failure_of_an_earlier_attempt_does_not_fail_the_current_one() {
    let shop = Shop::stocked().await;
    let order = unpaid_order(&shop).await;
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
    assert_eq!(
        status(&shop, &payment).await,
        Some(PaymentStatus::Pending),
        "the event is about the first attempt"
    );
    let second = format!("pay_{payment}#2");
    shop.send(signed(&event("evt_3", "payment.authorized", &second, NOW).to_string())).await.done(200);
    assert_eq!(status(&shop, &payment).await, Some(PaymentStatus::Authorized));
}

// Proves: payments.webhook-signature
#[tokio::test]
async fn a_wrong_signature_is_refused_before_the_body_is_parsed() {
    let shop = Shop::stocked().await;
    let body = event("evt_1", "payment.authorized", "pay_x", NOW).to_string();
    let path = "/api/payments/webhook";
    let right = signature(WEBHOOK_SECRET, body.as_bytes());
    let other = signature("another secret", body.as_bytes());
    let shortened = &right[..62];
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
async fn a_webhook_of_an_unknown_type_is_refused_and_not_stored() {
    let shop = Shop::stocked().await;
    let unknown = signed(&event("a", "payment.dreamt", "pay_x", NOW).to_string());
    shop.send(unknown).await.refused(422, "validation-failed").at("/type", "unknown-type");
}

// Proves: payments.webhook-age
#[tokio::test]
async fn webhooks_older_than_seven_days_or_from_the_future_are_refused() {
    let shop = Shop::stocked().await;
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

// Proves: payments.unknown-payment
#[tokio::test]
async fn a_webhook_about_an_unknown_payment_is_stored_once() {
    let shop = Shop::stocked().await;
    let unknown = PaymentId(uuid::Uuid::from_u128(5));
    for (id, payment) in [("evt_1", "somebody-elses".to_owned()), ("evt_2", format!("pay_{unknown}"))] {
        let body = event(id, "payment.authorized", &payment, NOW).to_string();
        shop.send(signed(&body)).await.done(202);
        shop.send(signed(&body)).await.done(200);
        let stream = souk_eventsourcing::StreamName::new("webhook", &payment);
        assert_eq!(shop.event_types(&stream).await, ["webhook.kept"]);
    }
    let payment = pending(&shop).await;
    let body = event("evt_3", "payment.celebrated", &format!("pay_{payment}"), NOW).to_string();
    shop.send(signed(&body)).await.refused(422, "validation-failed").at("/type", "unknown-type");
    let nameless = event("", "payment.authorized", "pay_x", NOW).to_string();
    shop.send(signed(&nameless)).await.refused(422, "validation-failed").at("/id", "invalid-id");
}

/// Creates a refund that the provider refused. Returns the ids of the payment and the refund.
async fn refused_refund(shop: &Shop) -> (String, String) {
    let payment = pending(shop).await;
    let authorized = event("evt_1", "payment.authorized", &format!("pay_{payment}"), NOW).to_string();
    shop.send(signed(&authorized)).await.done(200);
    let captured = PaymentCommand::RecordCaptured { provider_payment_id: format!("pay_{payment}") };
    record(shop, &payment, captured).await;
    let path = format!("/api/payments/{payment}/refunds");
    let body = json!({"amount": {"amount": 5, "currency": "GBP"}, "reason": "broken"});
    let refund = shop.admin(Call::post(&path, &body)).await.done(201).text("id");
    let refused = PaymentCommand::RecordRefundFailed {
        refund: RefundId(refund.parse().unwrap()),
        code: "refund-declined".into(),
        detail: "the account is closed".into(),
    };
    record(shop, &payment, refused).await;
    (payment, refund)
}

async fn debts(shop: &Shop, payment: &str) -> usize {
    let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
    shop.ports.aggregates.payments.load(&stream).await.unwrap().unwrap().state.debts().len()
}

/// The body may have no `refundId`, the shop's id or the provider's id.
#[tokio::test]
async fn a_processed_refund_is_found_by_either_id_or_without_one() {
    for id in ["none", "shop", "provider"] {
        let shop = Shop::stocked().await;
        let (payment, refund) = refused_refund(&shop).await;
        assert_eq!(debts(&shop, &payment).await, 1);
        let mut body = event("evt_2", "refund.processed", &format!("pay_{payment}"), NOW);
        match id {
            "shop" => body["refundId"] = json!(refund),
            "provider" => body["refundId"] = json!(format!("re_{refund}")),
            _ => {}
        }
        for _repeat in 0..2 {
            shop.send(signed(&body.to_string())).await.done(200);
        }
        assert_eq!(debts(&shop, &payment).await, 0, "{id}");
        assert_eq!(status(&shop, &payment).await, Some(PaymentStatus::PartiallyRefunded), "{id}");
    }
}

#[tokio::test]
async fn a_webhook_from_before_the_refund_is_stored_and_changes_nothing() {
    let shop = Shop::stocked().await;
    let (payment, _) = refused_refund(&shop).await;
    let earlier = "2026-11-21T11:59:59Z";
    assert!(earlier < NOW);
    let body = event("evt_2", "refund.processed", &format!("pay_{payment}"), earlier);
    shop.send(signed(&body.to_string())).await.done(202);
    assert_eq!(debts(&shop, &payment).await, 1);
}

#[tokio::test]
async fn a_webhook_about_an_unknown_refund_is_stored_and_changes_nothing() {
    let shop = Shop::stocked().await;
    let (payment, _) = refused_refund(&shop).await;
    let mut body = event("evt_2", "refund.processed", &format!("pay_{payment}"), NOW);
    body["refundId"] = json!("rfnd_9");
    shop.send(signed(&body.to_string())).await.done(202);
    assert_eq!(debts(&shop, &payment).await, 1);
    body["refundId"] = json!("x".repeat(129));
    let refused = shop.send(signed(&body.to_string())).await;
    refused.refused(422, "validation-failed").at("/refundId", "invalid-id");
}

/// The id of a void is derived from the command id, so command ids must differ between payments.
#[tokio::test]
async fn two_payments_with_the_same_event_id_get_different_voids() {
    let shop = Shop::stocked().await;
    let mut voids = Vec::new();
    for _ in 0..2 {
        let payment = pending(&shop).await;
        let stream = Payment::stream(PaymentId(payment.parse().unwrap()));
        let order =
            shop.ports.aggregates.payments.load(&stream).await.unwrap().unwrap().state.order().unwrap();
        record(&shop, &payment, PaymentCommand::Abandon { order }).await;
        let body = event("evt_same", "payment.authorized", &format!("pay_{payment}"), NOW);
        shop.send(signed(&body.to_string())).await.done(200);
        let events = shop.events(&stream).await;
        let event: Value = serde_json::from_slice(&events.last().unwrap().event.data).unwrap();
        voids.push(event["void"].clone());
    }
    assert!(voids[0].is_string() && voids[0] != voids[1], "{voids:?}");
}
