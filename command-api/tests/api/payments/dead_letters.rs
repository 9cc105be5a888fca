//! Tests of `/api/payments/provider/dead-letters/…`.

use serde_json::json;
use souk_domain::payment::{Payment, PaymentCommand};
use souk_domain::{PaymentId, RefundId};
use souk_http_shop::{Call, Shop};

use crate::payments::{capture, intent, record, unpaid_order};

// Proves: payments.refused-refund-is-a-debt
#[tokio::test]
async fn a_dead_letter_is_requeued_or_skipped_by_an_admin_once() {
    let shop = Shop::stocked().await;
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
    let requested =
        shop.event_types(&stream).await.into_iter().filter(|kind| kind == "payment.refund-requested");
    assert_eq!(requested.count(), 2, "it is sent once more, as a new refund");
    let absent = "/api/payments/provider/dead-letters/0199c2aa-bbcc-7000-8000-00000000ffff/requeue";
    shop.admin(Call::post_raw(absent, "")).await.refused(404, "not-found");
    shop.admin(Call::post_raw("/api/payments/provider/dead-letters/x/requeue", ""))
        .await
        .refused(404, "not-found");
}

// Proves: payments.settled-debt
#[tokio::test]
async fn a_dead_letter_that_was_settled_in_another_way_is_closed() {
    let shop = Shop::stocked().await;
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
    assert_eq!(shop.event_types(&stream).await.last().map(String::as_str), Some("payment.debt-settled"));
    let again = Call::post(&format!("/api/payments/{payment}/refunds"), &json!({}));
    shop.admin(again).await.refused(409, "refund-exceeds-payment");
}

#[tokio::test]
async fn a_withdrawn_dead_letter_can_be_refunded_again() {
    let shop = Shop::stocked().await;
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
