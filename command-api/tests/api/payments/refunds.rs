//! Tests of `POST /api/payments/{id}/refunds`.

use serde_json::json;
use souk_http_shop::{Call, Shop};

use crate::payments::{capture, intent, unpaid_order};

// Proves: payments.money-out-within-money-in
#[tokio::test]
async fn only_admins_refund_and_never_more_than_was_captured() {
    let shop = Shop::stocked().await;
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
